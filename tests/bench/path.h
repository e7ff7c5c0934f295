// Path: a source database, a destination database, and what carries rows from one to the other:
// PostgreSQL's own logical replication, or ours. Both sides have the same settings, fsync on.
//
// The application's statement is the same on every path, kInsert. Arrival is seen from outside: a
// trigger of the destination's table notifies for rows of type kProbe, and PostgreSQL delivers a
// notification after the commit.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tests/bench/cpu.h"
#include "tests/support/network.h"
#include "tests/support/postgres.h"

namespace oltp20::bench {

// $1 type, $2 payload.
extern const char* const kInsert;
extern const char* const kProbe;
inline constexpr std::size_t kPayloadBytes = 240;

test::ClusterOptions cluster_options();

class Path {
 public:
  explicit Path(std::string name) : name_(std::move(name)) {}
  virtual ~Path() = default;

  const std::string& name() const { return name_; }
  virtual std::string source() const = 0;  // connection URLs
  virtual std::string destination() const = 0;
  // Makes it the one that is measured next, caught up and with small tables where it can.
  virtual void prepare() = 0;
  // Nothing is carried until resume(); the backlog collects in the source.
  virtual void pause() = 0;
  virtual void resume() = 0;
  virtual std::int64_t rows_arrived() const = 0;
  // CPU so far of each process on the path.
  virtual CpuTimes cpu() const = 0;

 private:
  std::string name_;
};

// What both servers of a path are.
struct Servers {
  test::PostgresCluster a{cluster_options()}, b{cluster_options()};
};

// Native logical replication; `synchronous_commit` of the subscription: "off" is its default.
class NativePath final : public Path {
 public:
  // Paths that share servers share the subscription; only one is measured at a time.
  NativePath(std::string name, std::shared_ptr<Servers> servers, std::string synchronous_commit);
  static std::shared_ptr<Servers> make_servers();

  std::string source() const override;
  std::string destination() const override;
  void prepare() override;
  void pause() override;
  void resume() override;
  std::int64_t rows_arrived() const override;
  CpuTimes cpu() const override;

 private:
  std::shared_ptr<Servers> servers_;
  std::string synchronous_commit_;
};

class OurPath final : public Path {
 public:
  explicit OurPath(std::string name);

  std::string source() const override;
  std::string destination() const override;
  void prepare() override;
  void pause() override;
  void resume() override;
  std::int64_t rows_arrived() const override;
  CpuTimes cpu() const override;
  test::PostgresCluster& source_cluster() { return servers_.a; }
  test::Network& network() { return network_; }

 private:
  Servers servers_;
  test::Network network_;
};

}  // namespace oltp20::bench
