#include "common/observe/http.h"

#include <httplib.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "common/base/check.h"

namespace oltp20 {
namespace {

constexpr int kRequestSeconds = 2;

// A full queue makes the accepting thread wait, so that the backlog of the kernel is the bound.
// (Not BoundedQueue: its one consumer takes everything at once, and a slow request would hold up
// those behind it while other workers idle.)
class BoundedWorkers final : public httplib::TaskQueue {
 public:
  BoundedWorkers() {
    for (std::size_t i = 0; i < kHttpThreads; ++i) threads_.emplace_back([this] { run(); });
  }
  void enqueue(std::function<void()> task) override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return tasks_.size() < kHttpWaiting; });
    tasks_.push_back(std::move(task));
    changed_.notify_all();
  }
  void shutdown() override {
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  void run() {
    while (true) {
      std::function<void()> task;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return closed_ || !tasks_.empty(); });
        if (tasks_.empty()) return;
        task = std::move(tasks_.front());
        tasks_.pop_front();
      }
      changed_.notify_all();
      task();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  bool closed_ = false;
  std::vector<std::thread> threads_;
};

// Not the library's own options: SO_REUSEPORT would let two servers share a port unnoticed.
void set_socket_options(int socket) {
  int yes = 1;
  setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
}

std::string json_error(const std::string& message) {
  using Json = nlohmann::json;
  return Json{{"error", message}}.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void answer_health(const std::function<Health()>& check, httplib::Response& response) {
  Health health = check();
  response.status = health.good ? 200 : 503;
  response.set_content(health.text + "\n", "text/plain; charset=utf-8");
}

}  // namespace

struct HttpServer::Server {
  httplib::Server http;
  std::thread thread;
  std::atomic<bool> ended = false;
};

HttpServer::HttpServer(Routes routes) : server_(std::make_unique<Server>()) {
  httplib::Server& http = server_->http;
  http.new_task_queue = [] { return new BoundedWorkers; };
  http.set_socket_options(set_socket_options);
  http.set_keep_alive_max_count(1);
  http.set_keep_alive_timeout(kRequestSeconds);
  http.set_read_timeout(kRequestSeconds);
  http.set_write_timeout(kRequestSeconds);
  http.set_payload_max_length(0);
  http.set_exception_handler([](const auto&, httplib::Response& response, std::exception_ptr) {
    response.status = 500;
    response.set_content("this is a bug: an exception in a route; see the log\n", "text/plain");
  });
  http.Get("/metrics", [get = routes.metrics](const auto&, httplib::Response& response) {
    response.set_content(get(), "text/plain; version=0.0.4; charset=utf-8");
  });
  http.Get("/healthz", [check = routes.healthz](const auto&, httplib::Response& response) {
    answer_health(check, response);
  });
  http.Get("/readyz", [check = routes.readyz](const auto&, httplib::Response& response) {
    answer_health(check, response);
  });
}

HttpServer::~HttpServer() {
  stop();
}

void HttpServer::add_json(const std::string& path, Json answer) {
  CHECK(!server_->thread.joinable());
  server_->http.Get(path, [answer](const auto&, httplib::Response& response) {
    Result<std::string> text = answer();
    if (!text) response.status = text.status().code() == Code::not_found ? 404 : 503;
    response.set_content(text ? *text : json_error(text.status().message()), "application/json");
  });
}

Status HttpServer::start(const Endpoint& listen) {
  CHECK(!server_->thread.joinable());
  errno = 0;
  int port = listen.port;
  if (port == 0) {
    port = server_->http.bind_to_any_port(listen.host);
  } else if (!server_->http.bind_to_port(listen.host, port)) {
    port = -1;
  }
  if (port < 0) {
    std::string why =
        errno != 0 ? std::strerror(errno) : "the host is not an address of this machine";
    return Status(Code::unavailable, "cannot serve HTTP on " + listen.text() + ": " + why +
                                         "; stop what uses it (ss -ltnp shows it) or set "
                                         "http.listen to another address");
  }
  port_ = static_cast<std::uint16_t>(port);
  server_->ended = false;
  server_->thread = std::thread([this] {
    server_->http.listen_after_bind();
    server_->ended = true;
  });
  while (!server_->http.is_running() && !server_->ended) std::this_thread::yield();
  return {};
}

void HttpServer::stop() {
  if (!server_->thread.joinable()) return;
  server_->http.stop();
  server_->thread.join();
}

}  // namespace oltp20
