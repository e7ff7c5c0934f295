// HttpServer: /metrics, /healthz, /readyz and JSON routes, for operators and their tools.
//
// It reads nothing but request lines, changes nothing, and asks nobody who they are: listen on
// loopback or behind something that does. Threads: start() and stop() from one; the callbacks run
// on kHttpThreads threads of the server, at once, and must be thread-safe until stop() has
// returned. Bounds: kHttpThreads requests at work and kHttpWaiting behind them; then new
// connections wait in the kernel. Each connection carries one request and has 2 s for it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/base/status.h"
#include "common/config/endpoint.h"

namespace oltp20 {

inline constexpr std::size_t kHttpThreads = 4;
inline constexpr std::size_t kHttpWaiting = 16;

struct Health {
  bool good = false;  // false is answered with 503
  std::string text;   // a sentence
};

class HttpServer {
 public:
  struct Routes {
    std::function<std::string()> metrics;  // Prometheus' text format
    std::function<Health()> healthz;       // restart me when this is bad
    std::function<Health()> readyz;        // send me no work while this is bad
  };
  using Json = std::function<Result<std::string>()>;

  explicit HttpServer(Routes routes);
  ~HttpServer();  // stops
  HttpServer(const HttpServer&) = delete;

  // Before start(). GET `path` answers the JSON text; a Status becomes {"error": ...} with 404 for
  // not_found and 503 for the rest.
  void add_json(const std::string& path, Json answer);

  // Listens and serves. Errors: unavailable, with the remedy, when the address cannot be had.
  Status start(const Endpoint& listen);
  // The port that was really taken, for a configured port 0.
  std::uint16_t port() const { return port_; }
  // Finishes what is being answered; idempotent.
  void stop();

 private:
  struct Server;
  std::unique_ptr<Server> server_;
  std::uint16_t port_ = 0;
};

}  // namespace oltp20
