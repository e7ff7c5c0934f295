#include "tests/bench/plot.h"

#include <algorithm>
#include <cstdio>

namespace oltp20::bench {
namespace {

constexpr double kWidth = 900, kBarsFrom = 230, kBarsTo = 760, kBarHeight = 18, kPanelGap = 34;

std::string escape(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else
      out += c;
  }
  return out;
}

std::string text_at(double x, double y, const std::string& anchor, const std::string& text,
                    const std::string& more = "") {
  char start[160];
  std::snprintf(start, sizeof start, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"%s>", x, y,
                anchor.c_str(), more.c_str());
  return start + escape(text) + "</text>\n";
}

const char* colour_of(const std::string& system) {
  if (system.starts_with("OLTP")) return "#2a6fb0";
  if (system.starts_with("native default") || system.starts_with("plain")) return "#8a8a8a";
  return "#c4a24a";
}

std::string bar(const Figure& figure, double most, double y) {
  const auto x_of = [&](double value) { return kBarsFrom + (kBarsTo - kBarsFrom) * value / most; };
  char shapes[400];
  std::snprintf(shapes, sizeof shapes,
                "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>\n"
                "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#222\"/>\n",
                kBarsFrom, y, x_of(figure.median()) - kBarsFrom, kBarHeight - 4,
                colour_of(figure.subject.system), x_of(figure.least()), y + kBarHeight / 2 - 2,
                x_of(figure.most()), y + kBarHeight / 2 - 2);
  return shapes + text_at(kBarsFrom - 8, y + kBarHeight - 7, "end", figure.subject.system) +
         text_at(x_of(figure.most()) + 6, y + kBarHeight - 7, "start",
                 number_text(figure.median()));
}

}  // namespace

std::string plot_svg(const Report& report) {
  std::string body;
  double y = 20;
  std::vector<Subject> drawn;
  for (const Figure& first : report.figures()) {
    Subject panel = first.subject;
    panel.system.clear();
    if (std::find(drawn.begin(), drawn.end(), panel) != drawn.end()) continue;
    drawn.push_back(panel);
    std::vector<const Figure*> bars;
    double most = 0;
    for (const Figure& figure : report.figures()) {
      Subject other = figure.subject;
      other.system.clear();
      if (other != panel) continue;
      bars.push_back(&figure);
      most = std::max(most, figure.most());
    }
    if (most <= 0) continue;
    body += text_at(12, y, "start",
                    panel.bench + ": " + panel.test + ", " + panel.metric +
                        (first.more_is_better ? " (more is better)" : " (less is better)"),
                    " font-weight=\"bold\"");
    y += 8;
    for (const Figure* figure : bars) {
      body += bar(*figure, most, y);
      y += kBarHeight;
    }
    y += kPanelGap - 8;
  }
  char head[200];
  std::snprintf(head, sizeof head,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
                "font-family=\"sans-serif\" font-size=\"12\">\n"
                "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
                kWidth, y);
  return head + body + "</svg>\n";
}

}  // namespace oltp20::bench
