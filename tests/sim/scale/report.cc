#include "tests/sim/scale/report.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

namespace oltp20::sim {
namespace {

__attribute__((format(printf, 1, 2))) std::string text(const char* format, ...) {
  char out[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(out, sizeof out, format, arguments);
  va_end(arguments);
  return out;
}

double seconds(Micros us) {
  return static_cast<double>(us) / kSecond;
}

std::string time_text(Micros us) {
  return us < 0 ? "never" : text("%.2f s", seconds(us));
}

std::string mib(std::uint64_t bytes) {
  return text("%.1f MiB", static_cast<double>(bytes) / (1 << 20));
}

double per_hour(std::size_t changes, std::size_t paths, std::size_t minutes) {
  return static_cast<double>(changes) * 60 / static_cast<double>(minutes) /
         static_cast<double>(std::max<std::size_t>(paths, 1));
}

std::string events_table(const Results& r) {
  std::string out =
      "| event | no path over anything dead | all maps equal and true | advertisements sent, all "
      "hubs | bytes, all hubs | bytes a hub | changes of observed paths |\n"
      "|---|---:|---:|---:|---:|---:|---:|\n";
  for (const Phase& phase : r.phases) {
    const std::uint64_t bytes = phase.traffic.advertisement_bytes + phase.traffic.digest_bytes;
    out +=
        text("| %s | %s | %s | %llu | %s | %.0f kB | %zu |\n", phase.name.c_str(),
             time_text(phase.rerouted_us).c_str(), time_text(phase.converged_us).c_str(),
             static_cast<unsigned long long>(phase.traffic.advertisements), mib(bytes).c_str(),
             static_cast<double>(bytes) / 1000 / static_cast<double>(r.size.hubs), phase.changes);
  }
  return out;
}

std::string noise_table(const Results& r) {
  const auto minutes = r.noise.size();
  std::size_t changes = 0, most_changes = 0;
  std::uint64_t made = 0;
  Stretch all{0, 0, 0, 0};
  for (const NoiseMinute& minute : r.noise) {
    changes += minute.changes;
    most_changes = std::max(most_changes, minute.changes);
    made += minute.advertisements;
    all.mean += minute.stretch.mean / static_cast<double>(minutes);
    all.p99 += minute.stretch.p99 / static_cast<double>(minutes);
    all.most = std::max(all.most, minute.stretch.most);
  }
  const double hub_seconds = static_cast<double>(minutes) * 60 * static_cast<double>(r.size.hubs);
  std::string out = "| | quiet | noise |\n|---|---:|---:|\n";
  out += text("| path stretch: mean, p99, most | %.3f, %.3f, %.2f | %.3f, %.3f, %.2f |\n",
              r.quiet_stretch.mean, r.quiet_stretch.p99, r.quiet_stretch.most, all.mean, all.p99,
              all.most);
  out += text("| changes of a path in an hour | | %.2f (worst minute: %.2f) |\n",
              per_hour(changes, r.paths, minutes), per_hour(most_changes, r.paths, 1));
  out += text("| advertisements made in a second, all hubs | | %.2f |\n",
              static_cast<double>(made) / static_cast<double>(minutes) / 60);
  out += text("| advertisements a hub sends in a second | %.2f | %.2f |\n",
              static_cast<double>(r.quiet.advertisements) / 60 / static_cast<double>(r.size.hubs),
              static_cast<double>(r.noise_traffic.advertisements) / hub_seconds);
  out +=
      text("| bytes a hub sends in a second, without probes | %.0f | %.0f |\n",
           static_cast<double>(r.quiet.advertisement_bytes + r.quiet.digest_bytes) / 60 /
               static_cast<double>(r.size.hubs),
           static_cast<double>(r.noise_traffic.advertisement_bytes + r.noise_traffic.digest_bytes) /
               hub_seconds);
  out += text("| probes a hub sends in a second | %.1f | %.1f |\n",
              static_cast<double>(r.quiet.probes) / 60 / static_cast<double>(r.size.hubs),
              static_cast<double>(r.noise_traffic.probes) / hub_seconds);
  return out;
}

std::string cost_table(const Results& r) {
  std::string out =
      text("| of one hub of %zu, with %zu links | |\n|---|---:|\n", r.size.hubs, r.size.links);
  out += text("| recomputing all its paths, one core, median of 31 | %.2f ms |\n", r.recompute_ms);
  out += text("| of it one search, as each further class of residency takes | %.2f ms |\n",
              r.search_ms);
  out += "| map in memory | " + mib(r.map_bytes) + " |\n";
  out += "| graph and paths in memory | " + mib(r.table_bytes) + " |\n";
  out += text("| one advertisement, mean | %llu bytes |\n",
              static_cast<unsigned long long>(r.advertisement_bytes));
  return out;
}

// ---- the picture -------------------------------------------------------------------------------

constexpr double kWidth = 900, kFrom = 330, kTo = 840;

std::string label(double x, double y, const char* anchor, const std::string& what,
                  const char* more = "") {
  return text("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"%s>", x, y, anchor, more) + what +
         "</text>\n";
}

std::string bars(const Results& r, double* y) {
  std::string out =
      label(12, *y, "start",
            "Seconds until all maps are equal and true (dark: until no path goes over "
            "anything dead)",
            " font-weight=\"bold\"");
  double most = 1;
  for (const Phase& phase : r.phases) most = std::max(most, seconds(phase.converged_us));
  for (const Phase& phase : r.phases) {
    *y += 20;
    const double scale = (kTo - kFrom) / most;
    const double all = std::max(0.0, seconds(phase.converged_us)) * scale;
    const double dead = std::max(0.0, seconds(phase.rerouted_us)) * scale;
    out += text(
        "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"14\" fill=\"#9fc1e0\"/>\n"
        "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"14\" fill=\"#2a6fb0\"/>\n",
        kFrom, *y - 11, all, kFrom, *y - 11, std::min(dead, all));
    out += label(kFrom - 8, *y, "end", phase.name);
    out += label(kFrom + all + 6, *y, "start", time_text(phase.converged_us));
  }
  return out;
}

using Value = double (*)(const Results&, const NoiseMinute&);

std::string curve(const Results& r, double top, double height, double least, double most,
                  const char* colour, Value value) {
  std::string points;
  for (std::size_t i = 0; i < r.noise.size(); ++i) {
    const double x =
        kFrom + (kTo - kFrom) * static_cast<double>(i + 1) / static_cast<double>(r.noise.size());
    const double share =
        std::clamp((value(r, r.noise[i]) - least) / std::max(most - least, 1e-9), 0.0, 1.0);
    points += text("%.1f,%.1f ", x, top + height * (1 - share));
  }
  return text("<polyline fill=\"none\" stroke-width=\"2\" stroke=\"%s\" points=\"", colour) +
         points + "\"/>\n";
}

std::string panel(const Results& r, double* y, const std::string& title, double least,
                  std::initializer_list<std::pair<const char*, Value>> curves) {
  constexpr double kHeight = 90;
  double most = least;
  for (const auto& [colour, value] : curves)
    for (const NoiseMinute& minute : r.noise) most = std::max(most, value(r, minute));
  *y += 44;
  std::string out = label(12, *y, "start", title, " font-weight=\"bold\"");
  *y += 10;
  out += text(
      "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"none\" "
      "stroke=\"#999\"/>\n",
      kFrom, *y, kTo - kFrom, kHeight);
  out += label(kFrom - 8, *y + 10, "end", text("%.2f", most));
  out += label(kFrom - 8, *y + kHeight, "end", text("%.2f", least));
  for (const auto& [colour, value] : curves)
    out += curve(r, *y, kHeight, least, most, colour, value);
  *y += kHeight;
  out += label(kTo, *y + 14, "end", text("%zu minutes", r.noise.size()));
  return out;
}

}  // namespace

std::string costs_of(const Results& r) {
  return cost_table(r);
}

std::string markdown_of(const Results& r) {
  return text(
             "%zu hubs, %zu links, %zu spokes; %zu paths of %zu hubs are observed. Noise: %zu "
             "minutes, %zu links congested, %zu flapping.\n\n",
             r.size.hubs, r.size.links, r.size.spokes, r.paths, r.size.observed, r.noise.size(),
             r.congested_links, r.flapping_links) +
         events_table(r) + "\n" + noise_table(r) + "\n" + cost_table(r);
}

std::string svg_of(const Results& r) {
  double y = 24;
  std::string body = bars(r, &y);
  body += panel(r, &y, "Path stretch under noise: mean (blue), p99 (ochre)", 1,
                {{"#2a6fb0", [](const Results&, const NoiseMinute& m) { return m.stretch.mean; }},
                 {"#c4a24a", [](const Results&, const NoiseMinute& m) { return m.stretch.p99; }}});
  body += panel(r, &y, "Changes of a path in an hour, minute by minute", 0,
                {{"#2a6fb0", [](const Results& all, const NoiseMinute& m) {
                    return per_hour(m.changes, all.paths, 1);
                  }}});
  body += panel(r, &y, "Advertisements made in a second, all hubs", 0,
                {{"#2a6fb0", [](const Results&, const NoiseMinute& m) {
                    return static_cast<double>(m.advertisements) / 60;
                  }}});
  return text(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
             "font-family=\"sans-serif\" font-size=\"12\">\n"
             "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
             kWidth, y + 30) +
         body + "</svg>\n";
}

}  // namespace oltp20::sim
