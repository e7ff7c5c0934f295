#include "tests/sim/scenario.h"

#include <algorithm>
#include <sstream>

namespace oltp20::sim {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

std::vector<std::string> split(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> out;
  for (std::string word; in >> word;) out.push_back(word);
  return out;
}

}  // namespace

std::string Step::text() const {
  return std::to_string(at_ms) + " " + joined(words);
}

std::string Scenario::text() const {
  std::string out = header;
  out += "seed " + std::to_string(seed) + "\n";
  if (hubs.size() > 1) out += "hubs " + joined(hubs) + "\n";
  out += "spokes " + joined(spokes) + "\n";
  if (!switched.empty()) out += "switch " + switched + "\n";
  out += "expect " + expect + "\n";
  for (const Step& step : steps) out += step.text() + "\n";
  return out;
}

Result<Scenario> parse_scenario(const std::string& text) {
  Scenario out;
  std::istringstream in(text);
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.starts_with('#')) {
      out.header += line + "\n";
      continue;
    }
    std::vector<std::string> words = split(line);
    if (words.empty()) continue;
    std::string verb = words.front();
    words.erase(words.begin());
    auto bad = [&](const std::string& what) {
      return Status(Code::invalid, "line " + std::to_string(number) + ": " + what);
    };
    if (verb.find_first_not_of("0123456789") == std::string::npos) {
      if (words.empty()) return bad("a step without a verb");
      out.steps.push_back({std::stoll(verb), std::move(words)});
    } else if (words.empty()) {
      return bad(verb + " needs a value");
    } else if (verb == "seed") {
      out.seed = std::stoull(words.front());
    } else if (verb == "spokes") {
      out.spokes = std::move(words);
    } else if (verb == "hubs") {
      out.hubs = std::move(words);
    } else if (verb == "switch") {
      out.switched = words.front();
    } else if (verb == "expect") {
      out.expect = joined(words);
    } else {
      return bad("neither a step nor a setting: " + verb);
    }
  }
  if (out.spokes.empty()) return Status(Code::invalid, "no spokes");
  std::ranges::stable_sort(out.steps, {}, &Step::at_ms);
  return out;
}

// Halves, then quarters, and so on down to single steps, as long as something can be left out.
Scenario shrink(const Scenario& scenario, const std::string& check) {
  Scenario best = scenario;
  auto fails = [&](const Scenario& candidate) {
    Outcome outcome = run(candidate);
    return outcome.breach && outcome.breach->check == check;
  };
  for (std::size_t size = best.steps.size(); size > 0;) {
    bool smaller = false;
    for (std::size_t at = 0; at < best.steps.size();) {
      Scenario candidate = best;
      auto first = candidate.steps.begin() + static_cast<std::ptrdiff_t>(at);
      auto count = std::min(size, candidate.steps.size() - at);
      candidate.steps.erase(first, first + static_cast<std::ptrdiff_t>(count));
      if (fails(candidate)) {
        best = std::move(candidate);
        smaller = true;
      } else {
        at += size;
      }
    }
    size = smaller ? std::min(size, best.steps.size()) : size / 2;
  }
  return best;
}

}  // namespace oltp20::sim
