// A TCP relay on loopback that can turn into a black hole: connections stay open, nothing passes.
#pragma once

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace oltp20::link_test {

class Proxy {
 public:
  // `target`: "127.0.0.1:PORT". One thread; as many connections as come.
  explicit Proxy(const std::string& target);
  ~Proxy();

  const std::string& endpoint() const { return endpoint_; }
  void swallow() { swallowing_ = true; }

 private:
  void run();
  void accept_one();

  const int target_port_;
  int listening_;
  std::string endpoint_;
  std::vector<int> sockets_;  // pairs: 2n and 2n+1 are the ends of one connection
  std::atomic<bool> swallowing_{false}, stopping_{false};
  std::thread thread_;
};

}  // namespace oltp20::link_test
