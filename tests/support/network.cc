#include "tests/support/network.h"

#include <fstream>
#include <stdexcept>

namespace oltp20::test {
namespace {

std::string tls_section(const std::string& directory) {
  return "[tls]\nca = \"" + directory + "/ca.pem\"\ncert = \"" + directory +
         "/cert.pem\"\nkey = \"" + directory + "/key.pem\"\ncrl = \"" + directory + "/crl.pem\"\n";
}

void must(const Outcome& outcome, const std::string& what) {
  if (outcome.exit_code != 0) throw std::runtime_error(what + ": " + outcome.output);
}

}  // namespace

bool eventually(double seconds, const std::function<bool()>& holds) {
  for (double end = now_s() + seconds; now_s() < end; sleep_s(0.01))
    if (holds()) return true;
  return holds();
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
}

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

Network::Network()
    : policy(
          "[[rule]]\nwho = \"spoke/*\"\npublish = [\">\"]\nsubscribe = [\">\"]\n"
          "[[rule]]\nwho = \"admin/*\"\nadmin = [\"read\", \"write\"]\n"),
      hub_port_(free_port()),
      hub_http_port_(free_port()) {
  must(run({repository() + "/certs/make-ca", path("ca")}), "make-ca");
  issue("hub", "hub", path("hub-tls"));
  issue("admin", "tester", path("admin-tls"));
  write_hub_config();
  write_file(path("ctl.toml"), "[ctl]\nhub = \"127.0.0.1:" + std::to_string(hub_port_) + "\"\n" +
                                   tls_section("admin-tls"));
  http_ports_["hub"] = hub_http_port_;
}

void Network::issue(const std::string& kind, const std::string& name, const std::string& directory,
                    const std::vector<std::string>& more) const {
  std::vector<std::string> command = {repository() + "/certs/issue", path("ca"), kind, name};
  if (kind != "admin") command.insert(command.end(), {"--region", "eu"});
  if (!directory.empty()) command.insert(command.end(), {"--out", directory});
  command.insert(command.end(), more.begin(), more.end());
  must(run(command), "issue");
}

void Network::write_hub_config() const {
  write_file(config_of("hub"),
             "[hub]\nname = \"hub\"\nlisten = \"127.0.0.1:" + std::to_string(hub_port_) +
                 "\"\ndata_dir = \"hub\"\n" +
                 "[http]\nlisten = \"127.0.0.1:" + std::to_string(hub_http_port_) + "\"\n" +
                 tls_section("hub-tls") + "[policy]\nfile = \"policy.toml\"\n");
}

std::string Network::config_of(const std::string& name) const {
  return path(name + ".toml");
}

void Network::add_spoke(const std::string& name, PostgresCluster& cluster,
                        const std::string& database, const std::string& region) {
  issue("spoke", name, path(name + "-tls"), {"--region", region});
  http_ports_[name] = free_port();
  cluster.create_database(database);
  move_spoke(name, cluster, database);
  must(run({program("oltp20-spoke"), "install", "--config", config_of(name), "--admin-url",
            cluster.url(database)}),
       "install");
}

void Network::move_spoke(const std::string& name, PostgresCluster& cluster,
                         const std::string& database) {
  write_file(config_of(name),
             "[spoke]\nname = \"" + name + "\"\nsubscribe = [\">\"]\n[database]\nurl = \"" +
                 cluster.url(database, "oltp20_agent") + "\"\n" + tls_section(name + "-tls") +
                 "[http]\nlisten = \"127.0.0.1:" + std::to_string(http_ports_.at(name)) +
                 "\"\n[[hub]]\nname = \"hub\"\nendpoint = \"127.0.0.1:" +
                 std::to_string(hub_port_) + "\"\n");
}

void Network::start_hub(std::vector<std::string> wrapper, const std::vector<std::string>& options) {
  write_file(path("policy.toml"), policy);
  hub_.reset();
  for (const std::string& word : {program("oltp20-hub"), std::string("--config"), config_of("hub")})
    wrapper.push_back(word);
  wrapper.insert(wrapper.end(), options.begin(), options.end());
  hub_ = std::make_unique<Process>(std::move(wrapper), path("hub.log"));
}

void Network::start_spoke(const std::string& name) {
  spokes_.erase(name);
  spokes_[name] = std::make_unique<Process>(
      std::vector<std::string>{program("oltp20-spoke"), "--config", config_of(name)},
      path(name + ".log"));
}

void Network::start_pair(PostgresCluster& a, PostgresCluster& b) {
  add_spoke("a", a);
  add_spoke("b", b);
  start_hub();
  for (const char* name : {"a", "b"}) start_spoke(name);
  for (const char* name : {"a", "b"}) wait_until_attached(name);
}

void Network::wait_until_attached(const std::string& name, double seconds) {
  std::string url = "http://127.0.0.1:" + std::to_string(http_port(name)) + "/readyz";
  bool attached = eventually(seconds, [&] {
    return run({"curl", "-fsS", "-m", "2", url}).exit_code == 0;
  });
  if (!attached) throw std::runtime_error(name + " does not attach\n" + logs());
}

Outcome Network::ctl(std::vector<std::string> words) const {
  words.insert(words.begin(), {program("oltp20ctl"), "--config", path("ctl.toml")});
  return run(words);
}

std::string Network::logs() const {
  std::string out = "--- hub\n" + read_text(path("hub.log"));
  for (const auto& [name, process] : spokes_)
    out += "--- " + name + "\n" + read_text(path(name + ".log"));
  return out;
}

}  // namespace oltp20::test
