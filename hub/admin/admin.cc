#include "hub/admin/admin.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "common/base/clock.h"
#include "hub/journal/verify.h"

namespace oltp20::hub {
namespace {

using nlohmann::json;
using Reply = AdminHandler::Reply;

struct Context {
  const AdminOptions& options;
  Broker& broker;
  const Journal& journal;
  Micros started_us;
  json arguments;
  const std::function<void(const std::string&)>& progress;
};

Reply reply(const json& document) {
  return {{}, document.dump(-1, ' ', false, json::error_handler_t::replace)};
}
Reply failed(Code code, const std::string& message) {
  return {Status(code, message), ""};
}

double seconds_since(std::int64_t wall_us) {
  return static_cast<double>(system_clock().wall_us() - wall_us) / kSecond;
}

json lag_seconds(const Lag& lag) {
  if (lag.transactions == 0) return 0.0;
  if (lag.oldest_us == 0) return nullptr;  // it is being read
  return seconds_since(lag.oldest_us);
}

json journal_stat(const Journal& journal) {
  JournalInfo info = journal.info();
  std::vector<OriginState> origins = journal.origins();
  json out = {{"hub", info.hub},
              {"incarnation", to_hex(info.incarnation)},
              {"first_lsn", info.first_lsn},
              {"head_lsn", info.head.lsn},
              {"head_hash", to_hex(info.head.hash)},
              {"entries", info.head.lsn + 1 - info.first_lsn},
              {"bytes", info.bytes},
              {"origins", origins.size()}};
  if (!info.parent.incarnation.is_zero())
    out["parent"] = {{"incarnation", to_hex(info.parent.incarnation)}, {"lsn", info.parent.lsn}};
  if (!info.loss.empty()) out["loss"] = info.loss;
  return out;
}

json session_json(const SessionStatus& session) {
  json out = {{"address", session.address},
              {"subscribe", session.subscribe},
              {"narrowed", session.narrowed},
              {"sent_lsn", session.sent},
              {"applied_lsn", session.applied},
              {"durable_lsn", session.durable},
              {"lag_transactions", session.lag.transactions},
              {"in_flight_bytes", session.in_flight_bytes}};
  out["lag_seconds"] = lag_seconds(session.lag);
  return out;
}

// One object a spoke, whether it sends, receives, or has only been heard of.
json spokes(Context& context) {
  std::map<std::string, json> by_name;
  context.broker.inspect([&](const HubCore& core) {
    auto attached = core.ingest().attached();
    for (const OriginState& origin : core.ingest().lives().durable()) {
      if (core.ingest().lives().current(origin.origin) != origin.life.id) continue;
      json& spoke = by_name[origin.origin];
      spoke["name"] = origin.origin;
      spoke["epoch"] = to_hex(origin.life.id);
      spoke["journaled_seq"] = origin.last.seq;
    }
    for (const auto& [name, address] : attached) {
      by_name[name]["name"] = name;
      by_name[name]["forward"] = {{"address", address}};
    }
    for (const SessionStatus& session : core.delivery().status()) {
      json& spoke = by_name[session.peer.name];
      spoke["name"] = session.peer.name;
      spoke["region"] = session.peer.region;
      spoke["deliver"] = session_json(session);
    }
    for (const DepartedStatus& away : core.delivery().departed()) {
      json& spoke = by_name[away.name];
      spoke["name"] = away.name;
      spoke["away"] = {{"lag_transactions", away.lag.transactions},
                       {"lag_seconds", lag_seconds(away.lag)}};
    }
  });
  json out = json::array();
  for (auto& [name, spoke] : by_name) out.push_back(std::move(spoke));
  return out;
}

Reply status(Context& context) {
  json out = {{"hub", context.options.hub},
              {"region", context.options.region},
              {"version", context.options.version},
              {"uptime_seconds",
               static_cast<double>(system_clock().monotonic_us() - context.started_us) / kSecond},
              {"journal", journal_stat(context.journal)},
              {"queue",
               {{"depth", context.broker.queue_depth()}, {"limit", context.broker.queue_limit()}}}};
  bool alive = context.broker.inspect([&](const HubCore& core) {
    IngestStatus ingest = core.ingest().status();
    out["forward_links"] = ingest.sessions;
    out["deliver_links"] = core.delivery().status().size();
    out["tail_bytes"] = core.delivery().tail_bytes();
    out["policy_rules"] = core.policy().rules().size();
    out["journal"]["writable"] = ingest.journal_ok;
    if (!ingest.journal_ok) out["journal"]["fault"] = ingest.journal_fault;
  });
  if (!alive) return failed(Code::unavailable, "the hub is stopping");
  if (Result<CertificateInfo> own = context.options.certificate(); own)
    out["certificate_expires"] = own->not_after_s;
  return reply(out);
}

Reply spokes_show(Context& context) {
  std::string name = context.arguments.value("name", "");
  for (json& spoke : spokes(context))
    if (spoke["name"] == name) return reply(spoke);
  return failed(Code::not_found, "this hub has never heard of spoke/" + name);
}

Reply spokes_adopt(Context& context) {
  std::string name = context.arguments.value("name", "");
  auto epoch = id_from_hex<Epoch>(context.arguments.value("epoch", ""));
  if (name.empty() || !epoch)
    return failed(Code::invalid,
                  "adopt takes a spoke's name and an epoch of 32 hexadecimal digits, "
                  "as the refusal in the logs shows them");
  context.broker.adopt(name, *epoch);
  return reply({{"spoke", name}, {"adopted", to_hex(*epoch)}});
}

std::set<std::string> types_of(const Entry& entry) {
  std::set<std::string> types;
  for (const Route& route : entry.routes) types.insert(route.type);
  return types;
}

json entry_json(const Entry& entry) {
  json out = {{"lsn", entry.lsn},
              {"kind", entry.kind == Entry::Kind::run ? "run" : "transaction"},
              {"origin", entry.origin},
              {"epoch", to_hex(entry.epoch)},
              {"seq", entry.seq},
              {"prev", entry.prev},
              {"received_us", entry.received_us}};
  if (entry.kind == Entry::Kind::transaction) {
    out["rows"] = entry.rows;
    out["bytes"] = entry.bytes;
    out["types"] = types_of(entry);
    out["tombstone"] = entry.rows == 0;
  }
  return out;
}

Reply journal_tail(Context& context) {
  constexpr std::uint64_t kMost = 10'000;
  std::uint64_t count = std::min(context.arguments.value("count", std::uint64_t{20}), kMost);
  JournalInfo info = context.journal.info();
  Lsn from = info.head.lsn >= count ? info.head.lsn - count + 1 : 1;
  ReadCursor cursor{std::max(from, info.first_lsn), 0};
  json out = json::array();
  while (true) {
    Result<ReadPage> page = context.journal.read(cursor, 1 << 20);
    if (!page) return {page.status(), ""};
    for (const ReadItem& item : page->items)
      if (item.part_no == 0) out.push_back(entry_json(*item.entry));
    cursor = page->next;
    if (page->at_head || page->items.empty() || out.size() >= kMost) return reply(out);
  }
}

Reply journal_verify(Context& context) {
  JournalInfo info = context.journal.info();
  auto progress = [&](Lsn at, Lsn to) {
    context.progress(json({{"at", at}, {"to", to}}).dump());
    return true;
  };
  Result<VerifyReport> report = verify(context.journal, info.first_lsn, info.head.lsn, progress);
  if (!report) return {report.status(), ""};
  json findings = json::array();
  for (const Finding& finding : report->findings)
    findings.push_back({{"lsn", finding.lsn},
                        {"kind", std::string(finding_name(finding.kind))},
                        {"sentence", finding.sentence}});
  return reply({{"incarnation", to_hex(report->incarnation)},
                {"from", report->from},
                {"to", report->to},
                {"entries", report->entries},
                {"bytes", report->bytes},
                {"sound", report->is_sound()},
                {"findings", findings},
                {"more_findings", report->more_findings}});
}

Reply policy_show(Context& context) {
  json out = json::array();
  context.broker.inspect([&](const HubCore& core) {
    for (const PolicyRule& rule : core.policy().rules()) {
      json one = {{"who", rule.who}, {"line", rule.line}};
      if (!rule.publish.empty()) one["publish"] = rule.publish;
      if (!rule.subscribe.empty()) one["subscribe"] = rule.subscribe;
      if (!rule.admin.empty()) one["admin"] = rule.admin;
      if (rule.via) one["via"] = *rule.via;
      if (!rule.home_of.empty()) one["home_of"] = rule.home_of;
      out.push_back(std::move(one));
    }
  });
  return reply(out);
}

Reply policy_reload(Context& context) {
  if (Status status = context.options.reload(); !status) return {status, ""};
  return reply({{"reloaded", true}});
}

Reply certs_list(Context& context) {
  Result<CertificateInfo> own = context.options.certificate();
  if (!own) return {own.status(), ""};
  return reply(json::array({{{"who", own->identity.label()},
                             {"uri", own->identity.uri()},
                             {"serial", own->serial_hex},
                             {"expires", own->not_after_s}}}));
}

struct Command {
  const char* verb;  // what policy must grant
  Reply (*run)(Context&);
};
const std::map<std::string, Command>& commands() {
  static const std::map<std::string, Command> table = {
      {"status", {"read", status}},
      {"spokes list", {"read", [](Context& c) { return reply(spokes(c)); }}},
      {"spokes show", {"read", spokes_show}},
      {"spokes adopt", {"write", spokes_adopt}},
      {"lag", {"read", [](Context& c) { return reply(spokes(c)); }}},
      {"journal stat", {"read", [](Context& c) { return reply(journal_stat(c.journal)); }}},
      {"journal tail", {"read", journal_tail}},
      {"journal verify", {"read", journal_verify}},
      {"policy show", {"read", policy_show}},
      {"policy reload", {"write", policy_reload}},
      {"certs list", {"read", certs_list}},
  };
  return table;
}

}  // namespace

HubAdmin::HubAdmin(AdminOptions options, Broker& broker, const Journal& journal)
    : options_(std::move(options)),
      broker_(broker),
      journal_(journal),
      started_us_(system_clock().monotonic_us()) {}

AdminHandler::Reply HubAdmin::query(const PeerInfo& who, const std::string& command,
                                    const std::string& arguments_json,
                                    const std::function<void(const std::string&)>& progress) {
  auto known = commands().find(command);
  if (known == commands().end())
    return failed(Code::invalid, "this hub does not know the command \"" + command +
                                     "\": is oltp20ctl newer than the hub?");
  bool may = false;
  broker_.inspect([&](const HubCore& core) {
    may = core.policy().may_admin(who.identity, known->second.verb);
  });
  if (!may && options_.denied) options_.denied(who.identity);
  if (!may)
    return failed(Code::denied, who.identity.label() + " may not \"" + command +
                                    "\": it takes admin = [\"" + known->second.verb +
                                    "\"] in a [[rule]] of the hub's policy");
  json arguments = json::parse(arguments_json.empty() ? "{}" : arguments_json, nullptr, false);
  if (!arguments.is_object()) return failed(Code::invalid, "arguments that are not a JSON object");
  Context context{options_, broker_, journal_, started_us_, std::move(arguments), progress};
  try {
    return known->second.run(context);
  } catch (const json::exception&) {
    return failed(Code::invalid, "an argument of \"" + command + "\" has the wrong type");
  }
}

}  // namespace oltp20::hub
