#include "tests/support/postgres.h"

#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <pqxx/pqxx>
#include <stdexcept>
#include <thread>

namespace oltp20::test {

namespace {

namespace fs = std::filesystem;

const std::string kPrograms = "/usr/lib/postgresql/15/bin/";
const std::string kPrefix = "oltp20-postgres-";

// As root, PostgreSQL refuses to run: an unprivileged user that is there.
const passwd* server_user() {
  if (geteuid() != 0) return nullptr;
  for (const char* name : {"postgres", "nobody"})
    if (const passwd* user = getpwnam(name)) return user;
  throw std::runtime_error("no unprivileged user to run PostgreSQL as");
}

pid_t spawn(std::vector<std::string> command, const std::string& log, bool die_with_parent) {
  if (const passwd* user = server_user()) {
    std::vector<std::string> as_user = {"setpriv", "--reuid=" + std::to_string(user->pw_uid),
                                        "--regid=" + std::to_string(user->pw_gid),
                                        "--clear-groups"};
    if (die_with_parent) as_user.push_back("--pdeathsig=KILL");
    command.insert(command.begin(), as_user.begin(), as_user.end());
  }
  std::vector<char*> arguments;
  for (std::string& word : command) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0666);
    dup2(out, 1);
    dup2(out, 2);
    if (chdir("/") != 0) _exit(127);
    execvp(arguments[0], arguments.data());
    _exit(127);
  }
  if (child < 0) throw std::runtime_error("fork failed");
  return child;
}

std::string read_file(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

void run(const std::vector<std::string>& command, const std::string& log) {
  int status = 0;
  waitpid(spawn(command, log, false), &status, 0);
  if (status != 0) throw std::runtime_error(command[0] + " failed:\n" + read_file(log));
}

// Directories that a killed test process left behind.
void remove_stale() {
  for (const auto& entry : fs::directory_iterator(fs::temp_directory_path())) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(kPrefix)) continue;
    const pid_t owner = std::atoi(name.c_str() + kPrefix.size());
    std::error_code ignored;
    if (owner > 0 && kill(owner, 0) != 0 && errno == ESRCH) fs::remove_all(entry, ignored);
  }
}

std::string make_directory() {
  static int number = 0;
  if (number == 0) remove_stale();
  const std::string path = fs::temp_directory_path() /
                           (kPrefix + std::to_string(getpid()) + "-" + std::to_string(++number));
  fs::remove_all(path);
  fs::create_directory(path);
  if (const passwd* user = server_user())
    if (chown(path.c_str(), user->pw_uid, user->pw_gid) != 0)
      throw std::runtime_error("cannot give " + path + " to " + user->pw_name);
  return path;
}

void init_database(const std::string& data, const std::string& log) {
  run({kPrograms + "initdb", "-D", data, "-U", "postgres", "--auth=trust", "-N", "--no-locale",
       "-E", "UTF8"},
      log);
}

class Template {
 public:
  Template() : directory_(make_directory()) {
    init_database(directory_ + "/data", directory_ + "/log");
  }
  ~Template() {
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
  }
  std::string data() const { return directory_ + "/data"; }

 private:
  std::string directory_;
};

}  // namespace

PostgresCluster::PostgresCluster(Empty) : directory_(make_directory()) {}

PostgresCluster::PostgresCluster(ClusterOptions options)
    : options_(std::move(options)), directory_(make_directory()) {
  if (options_.own_identity) {
    init_database(data(), directory_ + "/log");
  } else {
    static const Template initial;
    run({"cp", "-a", initial.data(), data()}, directory_ + "/log");
  }
  start();
}

PostgresCluster::~PostgresCluster() {
  kill9();
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

void PostgresCluster::start() {
  if (running()) return;
  std::vector<std::string> command = {kPrograms + "postgres",
                                      "-D",
                                      data(),
                                      "-c",
                                      "unix_socket_directories=" + directory_,
                                      "-c",
                                      "listen_addresses=",
                                      "-c",
                                      "fsync=on",
                                      "-c",
                                      "shared_buffers=32MB",
                                      "-c",
                                      "max_connections=40"};
  for (const auto& [name, value] : options_.settings) {
    command.push_back("-c");
    command.push_back(name + "=" + value);
  }
  // After a kill, the old server's children may hold its shared memory for a moment.
  for (int attempt = 0; attempt < 20; ++attempt) {
    server_ = spawn(command, directory_ + "/log", true);
    if (wait_until_ready()) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  throw std::runtime_error("PostgreSQL does not start:\n" + read_file(directory_ + "/log"));
}

// False: it ended.
bool PostgresCluster::wait_until_ready() {
  for (int attempt = 0; attempt < 600; ++attempt) {
    try {
      pqxx::connection connection(url("postgres"));
      return true;
    } catch (const pqxx::broken_connection&) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    if (waitpid(server_, nullptr, WNOHANG) == server_) {
      server_ = 0;
      return false;
    }
  }
  throw std::runtime_error("PostgreSQL does not answer:\n" + read_file(directory_ + "/log"));
}

void PostgresCluster::stop() {
  if (server_ <= 0) return;
  kill(server_, SIGINT);
  waitpid(server_, nullptr, 0);
  server_ = 0;
}

void PostgresCluster::kill9() {
  if (server_ <= 0) return;
  kill(server_, SIGKILL);
  waitpid(server_, nullptr, 0);
  server_ = 0;
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

std::unique_ptr<PostgresCluster> PostgresCluster::cold_copy() const {
  std::unique_ptr<PostgresCluster> copy(new PostgresCluster(Empty{}));
  copy->options_ = options_;
  run({"cp", "-a", data(), copy->data()}, directory_ + "/log");
  return copy;
}

std::unique_ptr<PostgresCluster> PostgresCluster::make_standby() const {
  std::unique_ptr<PostgresCluster> copy(new PostgresCluster(Empty{}));
  copy->options_ = options_;
  run({kPrograms + "pg_basebackup", "-h", directory_, "-U", "postgres", "-D", copy->data(), "-R",
       "--checkpoint=fast", "--no-sync"},
      directory_ + "/log");
  copy->start();
  return copy;
}

void PostgresCluster::promote() {
  sql("postgres", "select pg_promote()");
}

void PostgresCluster::create_database(const std::string& name) {
  pqxx::connection connection(url("postgres"));
  pqxx::nontransaction(connection).exec("create database " + name);
}

std::string PostgresCluster::url(const std::string& database, const std::string& user) const {
  return "postgresql://" + user + "@/" + database + "?host=" + directory_;
}

std::string PostgresCluster::sql(const std::string& database, const std::string& statements,
                                 const std::string& user) const {
  pqxx::connection connection(url(database, user));
  pqxx::nontransaction transaction(connection);
  pqxx::result result = transaction.exec(statements);
  return result.empty() || result[0][0].is_null() ? "" : result[0][0].c_str();
}

}  // namespace oltp20::test
