// Pair: two spokes, a and b, on models of databases, and a hub that lets them have everything.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/model_network.h"

namespace oltp20::tests {

struct Pair : ::testing::Test {
  explicit Pair(std::vector<hub::PolicyRule> rules = allow_all()) : net(std::move(rules)) {
    net.add_spoke("a", a, {">"});
    net.add_spoke("b", b, {">"});
  }
  std::vector<std::string> numbers(int from, int to) {
    std::vector<std::string> out;
    for (int i = from; i <= to; ++i) out.push_back(std::to_string(i));
    return out;
  }
  void commit(int from, int to) {
    for (int i = from; i <= to; ++i) a.commit("greeting", std::to_string(i));
  }
  ModelDatabase a{1}, b{2};
  ModelNetwork net;
};

}  // namespace oltp20::tests
