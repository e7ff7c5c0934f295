// PostgreSQL 15 servers of a test's own: a directory under the system's temporary one, a unix
// socket in it, trust authentication, fsync on. initdb runs once a process; clusters are copies.
//
// Servers are children of the test process and die with it; directories are removed when the
// object goes, and what a crashed process left is removed by the next one. Run by root, servers
// run as an unprivileged user. Failures throw std::runtime_error, which fails the test.
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace oltp20::test {

struct ClusterOptions {
  std::map<std::string, std::string> settings;  // of postgresql.conf
  bool own_identity = false;                    // its own initdb, so its own system identifier
};

class PostgresCluster {
 public:
  explicit PostgresCluster(ClusterOptions options = {});
  ~PostgresCluster();
  PostgresCluster(const PostgresCluster&) = delete;

  void start();  // the constructor has; after stop() or kill9()
  void stop();   // fast shutdown
  void kill9();  // SIGKILL to the postmaster; its children follow
  bool running() const { return server_ > 0; }
  pid_t pid() const { return server_; }  // the postmaster's

  // A second server from a copy of the files of this one, which must be stopped; not started.
  std::unique_ptr<PostgresCluster> cold_copy() const;
  // A streaming replica from a base backup of this one, which must be running; started.
  std::unique_ptr<PostgresCluster> make_standby() const;
  void promote();

  void create_database(const std::string& name);
  std::string url(const std::string& database, const std::string& user = "postgres") const;
  // Runs statements; the first value of the last result as text, "" for none or NULL.
  std::string sql(const std::string& database, const std::string& statements,
                  const std::string& user = "postgres") const;

 private:
  struct Empty {};
  explicit PostgresCluster(Empty);
  std::string data() const { return directory_ + "/data"; }
  bool wait_until_ready();

  ClusterOptions options_;
  std::string directory_;
  pid_t server_ = 0;
};

}  // namespace oltp20::test
