#include "tests/common/link/proxy.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

namespace oltp20::link_test {
namespace {

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void pass_on(int from, int to) {
  char buffer[65536];
  ssize_t got = ::recv(from, buffer, sizeof buffer, 0);
  if (got <= 0) {
    ::shutdown(to, SHUT_WR);
    return;
  }
  for (ssize_t sent = 0; sent < got;) {
    ssize_t n = ::send(to, buffer + sent, static_cast<std::size_t>(got - sent), MSG_NOSIGNAL);
    if (n <= 0) return;
    sent += n;
  }
}

}  // namespace

Proxy::Proxy(const std::string& target)
    : target_port_(std::stoi(target.substr(target.rfind(':') + 1))),
      listening_(::socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (::bind(listening_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listening_, 8) != 0)
    throw std::runtime_error("the proxy cannot listen");
  ::getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &size);
  endpoint_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  thread_ = std::thread([this] { run(); });
}

Proxy::~Proxy() {
  stopping_ = true;
  thread_.join();
  for (int socket : sockets_) ::close(socket);
  ::close(listening_);
}

void Proxy::accept_one() {
  int client = ::accept(listening_, nullptr, nullptr);
  int server = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = loopback(target_port_);
  int on = 1;
  ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::connect(server, reinterpret_cast<sockaddr*>(&address), sizeof address);
  sockets_.push_back(client);
  sockets_.push_back(server);
}

void Proxy::run() {
  while (!stopping_) {
    std::vector<pollfd> waiting = {{listening_, POLLIN, 0}};
    if (!swallowing_)
      for (int socket : sockets_) waiting.push_back({socket, POLLIN, 0});
    if (::poll(waiting.data(), waiting.size(), 20) <= 0 || swallowing_) continue;
    for (std::size_t i = 1; i < waiting.size(); ++i)
      if (waiting[i].revents != 0) pass_on(sockets_[i - 1], sockets_[(i - 1) ^ 1]);
    if (waiting[0].revents != 0) accept_one();
  }
}

}  // namespace oltp20::link_test
