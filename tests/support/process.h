// Process: a program under test as a real process, with its log, that can be killed.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

namespace oltp20::test {

class Process {
 public:
  // Starts at once; stdout and stderr go to `log`, appended. Dies with the test.
  Process(std::vector<std::string> command, std::string log,
          std::map<std::string, std::string> environment = {});
  ~Process();  // SIGKILL
  Process(const Process&) = delete;

  pid_t pid() const { return pid_; }
  bool running();
  void signal(int number);
  void kill9();
  // SIGTERM, then its exit code; -1 when it did not end within the time.
  int stop(double seconds = 10);
  int wait(double seconds);
  std::string log() const;
  // The most memory it has ever had resident.
  std::size_t peak_bytes() const;
  double cpu_seconds() const;

 private:
  pid_t pid_ = 0;
  int exit_code_ = -1;
  bool reaped_ = false;
  std::string log_;
};

// Runs to the end. `output` has both streams.
struct Outcome {
  int exit_code = -1;
  std::string output;
};
Outcome run(std::vector<std::string> command, double seconds = 60);

// "build/bin/oltp20-hub"
std::string program(const std::string& name);
std::string repository();

// A port of 127.0.0.1 that was free a moment ago.
int free_port();
double now_s();
void sleep_s(double seconds);

// A directory that goes with the object.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace oltp20::test
