// Network: real processes of ours between real databases: a CA, one hub, spokes. Ports of loopback,
// files in a temporary directory; everything ends with the object.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "tests/support/postgres.h"
#include "tests/support/process.h"

namespace oltp20::test {

class Network {
 public:
  Network();

  // Writes NAME's certificate and configuration and installs the schema in the cluster's database
  // `database`; does not start the agent.
  void add_spoke(const std::string& name, PostgresCluster& cluster,
                 const std::string& database = "oltp20_framework",
                 const std::string& region = "eu");
  // The same spoke on another database from now on.
  void move_spoke(const std::string& name, PostgresCluster& cluster,
                  const std::string& database = "oltp20_framework");

  // `wrapper`: a command that runs it, such as prlimit.
  void start_hub(std::vector<std::string> wrapper = {},
                 const std::vector<std::string>& options = {});
  Process& hub() { return *hub_; }
  void start_spoke(const std::string& name);
  Process& spoke(const std::string& name) { return *spokes_.at(name); }
  // Spokes "a" and "b" on these, and a hub; both are attached when it returns.
  void start_pair(PostgresCluster& a, PostgresCluster& b);
  // Until the spoke forwards and applies; throws when it does not within the time.
  void wait_until_attached(const std::string& name, double seconds = 20);

  std::string policy;  // of policy.toml; written by start_hub()
  std::string hub_data() const { return directory_.path() + "/hub"; }
  std::string config_of(const std::string& name) const;  // "hub" or a spoke's name
  std::string path(const std::string& name) const { return directory_.path() + "/" + name; }
  int hub_port() const { return hub_port_; }
  int http_port(const std::string& name) const { return http_ports_.at(name); }
  Outcome ctl(std::vector<std::string> words) const;
  void issue(const std::string& kind, const std::string& name, const std::string& directory = "",
             const std::vector<std::string>& more = {}) const;
  std::string logs() const;

 private:
  void write_hub_config() const;

  TemporaryDirectory directory_;
  int hub_port_, hub_http_port_;
  std::map<std::string, int> http_ports_;
  std::unique_ptr<Process> hub_;
  std::map<std::string, std::unique_ptr<Process>> spokes_;
};

// Polls until it holds; false when it did not within the time.
bool eventually(double seconds, const std::function<bool()>& holds);
void write_file(const std::string& path, const std::string& text);
std::string read_text(const std::string& path);

}  // namespace oltp20::test
