// Carries a scenario's steps out, lets the world come to rest, and has it checked.
#include <algorithm>
#include <sstream>

#include "common/wire/hash_chain.h"
#include "tests/sim/check_failed.h"
#include "tests/sim/scenario.h"
#include "tests/sim/world.h"

namespace oltp20::sim {
namespace {

constexpr Micros kRest = 90 * kSecond;  // within so long everything must have converged

std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string item; std::getline(in, item, ',');) out.push_back(item);
  return out;
}

class Runner {
 public:
  explicit Runner(const Scenario& scenario)
      : scenario_(scenario), world_(scenario.seed, scenario.hubs, scenario.spokes) {}

  Outcome run();

 private:
  void begin();
  void carry_out(const Step& step);
  void act(const std::string& verb, const std::string& who);
  void commit(Spoke& spoke, bool roll_back);
  void on_database(const std::string& verb, Spoke& spoke);
  void on_link(const std::string& verb, Spoke& spoke);
  void on_hub(const std::string& verb, Hub& hub);
  void impersonate(Spoke& spoke);
  void intrude(Spoke& spoke);
  void set_policy(const std::string& who);
  void restart(Spoke& spoke, Micros after);
  void come_to_rest();
  bool is_at_rest() const;
  void close_gaps();
  void adopt();
  void flush_now_and_then(Spoke& spoke);

  // Arguments of the step: `name=value`, in milliseconds where they are times.
  std::string text(const std::string& name) const;
  std::int64_t number(const std::string& name, std::int64_t otherwise) const;
  Micros ms(const std::string& name, std::int64_t otherwise) const {
    return number(name, otherwise) * kMillisecond;
  }
  bool stopped() { return world_.checks().breach().has_value(); }

  const Scenario& scenario_;
  World world_;
  std::vector<std::string> words_;
  std::uint64_t row_ids_ = 0;
  Outcome outcome_;
  Micros looked_at_ = 0;  // by then destinations have seen which gaps are closed
};

std::string Runner::text(const std::string& name) const {
  for (const std::string& word : words_)
    if (word.starts_with(name + "=")) return word.substr(name.size() + 1);
  return "";
}

std::int64_t Runner::number(const std::string& name, std::int64_t otherwise) const {
  std::string value = text(name);
  return value.empty() ? otherwise : std::stoll(value);
}

void Runner::begin() {
  Permissions everything;
  for (const auto& [name, spoke] : world_.spokes()) {
    everything[name] = {{">"}, {">"}};
    spoke->subscribe({">"});
  }
  for (const Step& step : scenario_.steps)  // what stands at 0 holds from the start
    if (step.at_ms == 0 && step.words[0] == "subscribe")
      world_.spoke(step.words[1]).subscribe(split_list(step.words[2]));
  world_.set_permissions(everything);
  for (const auto& [name, hub] : world_.hubs()) hub->start();
  for (const auto& [name, spoke] : world_.spokes()) {
    spoke->start();
    flush_now_and_then(*spoke);
  }
  if (world_.follower()) world_.follower()->start();
}

// The write-ahead log's writer.
void Runner::flush_now_and_then(Spoke& spoke) {
  spoke.database().flush();
  world_.scheduler().after(spoke.database().dice().between(10'000, 400'000),
                           [this, &spoke] { flush_now_and_then(spoke); });
}

void Runner::restart(Spoke& spoke, Micros after) {
  world_.scheduler().after(after, [&spoke] { spoke.start(); });
}

// ---- steps --------------------------------------------------------------------------------------

// commit SPOKE TYPE[*ROWS][>DESTINATION],… [hold=MS] [async] [poison=SPOKE] [bytes=N]
void Runner::commit(Spoke& spoke, bool roll_back) {
  std::vector<OracleRow> rows;
  std::string poison = text("poison");
  for (const std::string& item : split_list(words_.at(2))) {
    std::size_t star = item.find('*'), arrow = item.find('>');
    if (star != std::string::npos && arrow != std::string::npos && star > arrow)
      star = std::string::npos;
    std::string type = item.substr(0, std::min(star, arrow));
    std::size_t count = star == std::string::npos ? 1 : std::stoul(item.substr(star + 1));
    std::string destination = arrow == std::string::npos ? "" : item.substr(arrow + 1);
    for (std::size_t i = 0; i < count; ++i) {
      OracleRow row{id_of<RowId>(++row_ids_, scenario_.seed), type, "", destination};
      row.payload = "row " + std::to_string(row_ids_);
      if (!poison.empty() && rows.empty()) row.payload += " " + poison_mark(poison);
      row.payload.resize(std::max<std::size_t>(row.payload.size(), number("bytes", 0)), 'x');
      rows.push_back(std::move(row));
    }
  }
  Database& database = spoke.database();
  database.now = world_.now();
  if (database.is_down(world_.now())) {  // the application tries again
    world_.scheduler().after(500 * kMillisecond, [this, &spoke, roll_back, words = words_] {
      words_ = words;
      commit(spoke, roll_back);
    });
    return;
  }
  std::uint64_t xid = database.begin();
  std::size_t transaction = world_.oracle().begin(spoke.name(), rows);
  for (const OracleRow& row : rows) {
    spoke::OutboxRow out;
    out.id = row.id;
    out.type = row.type;
    out.payload = row.payload;
    if (!row.destination.empty()) out.destination = row.destination;
    out.sent_at_us = world_.now();
    database.insert(xid, std::move(out));
  }
  bool synchronous = std::ranges::find(words_, "async") == words_.end();
  Scheduler& scheduler = world_.scheduler();
  if (text("hold") == "ever") return;      // it stays open
  std::uint64_t life = database.starts();  // a crash may hand out the same id again
  scheduler.after(ms("hold", 0), [=, this, &database] {
    database.now = world_.now();
    if (!database.is_open(xid, life)) return;
    if (roll_back) {
      database.roll_back(xid);
      world_.oracle().rolled_back(transaction);
    } else if (database.draw_order(xid)) {
      world_.oracle().drawn(transaction);
      world_.scheduler().after(database.dice().between(0, 400), [=, this, &database] {
        database.now = world_.now();
        if (!database.is_open(xid, life)) return;
        world_.oracle().committed(transaction, world_.now());
        ++outcome_.committed;
        database.commit(xid, transaction, synchronous);
      });
    }
  });
}

void Runner::on_database(const std::string& verb, Spoke& spoke) {
  Database& database = spoke.database();
  if (verb == "crash-database") {
    ++outcome_.crashes;
    database.crash();
    database.stop(world_.now() + ms("for", 0));
  } else if (verb == "doubt") {
    database.doubt_next();
  } else {  // restore, promote: the agent of the old database is stopped
    ++outcome_.crashes;
    spoke.stop();
    std::size_t records =
        verb == "restore"
            ? database.records_at(world_.now() - ms("back", 1000))
            : database.size() - std::min<std::size_t>(database.size(), number("lose", 0));
    // Behind the beginning of its epoch only on purpose: an operator must decide then. A copy keeps
    // server and timeline: only a chain can tell it from what it was copied from.
    if (text("deep").empty())
      records = std::max(records, database.records_of_life(verb == "restore"));
    world_.checks().life_may_change(spoke.name());
    database.restore(records, verb == "promote");
    restart(spoke, ms("for", 100));
  }
}

void Runner::on_link(const std::string& verb, Spoke& spoke) {
  if (verb == "partition") {
    spoke.connected = false;
    for (bool forward : {true, false})
      if (LinkPtr link = spoke.link(forward)) world_.swallow(link, true, true);
    world_.scheduler().after(ms("for", 3000), [&spoke] { spoke.connected = true; });
    return;
  }
  LinkPtr link = spoke.link(words_.at(2) == "forward");
  if (!link || link->id == 0) return;
  if (verb == "cut") world_.cut(link, ms("within", 100));
  std::string direction = text("direction");
  if (verb == "swallow") world_.swallow(link, direction != "down", direction != "up");
}

void Runner::on_hub(const std::string& verb, Hub& hub) {
  if (verb == "trim") return hub.trim(static_cast<std::size_t>(number("keep", 10)));
  if (verb == "fail-sync") return hub.fail_next_sync();
  if (verb == "slow-sync") return hub.slow_syncs(ms("most", 50));
  if (verb == "clock") return hub.jump_clock(number("seconds", 3600) * kSecond);
  if (!hub.is_up()) return;
  ++outcome_.crashes;
  if (verb == "kill") hub.stop();
  if (verb == "wipe") hub.wipe();
  if (verb == "lose-tail") hub.lose_tail(static_cast<std::size_t>(number("entries", 5)));
  world_.scheduler().after(ms("for", 50), [&hub] { hub.start(); });
}

// Another certificate on a link that calls itself this spoke, and one that sends as this spoke.
void Runner::impersonate(Spoke& spoke) {
  Hub& hub = world_.hub(spoke.home());
  if (!hub.is_up()) return;
  Identity liar{Identity::Kind::spoke, "sim", "eu", "mallory"};
  LinkPtr link = world_.open(liar, "mallory", true, hub);
  world_.checks().link_is_hostile(link->id);
  ForwardHello hello;
  hello.epoch = spoke.database().state().epochs.back();
  hello.agent = "mallory's";
  hello.spoke = text("as") == "self" ? "mallory" : spoke.name();
  hello.epoch.id = text("as") == "self" ? id_of<Epoch>(1, 1) : hello.epoch.id;
  world_.send_up(link, ForwardUp(hello));
  TransactionHeader header;
  header.origin = spoke.name();
  header.epoch = spoke.database().state().epochs.back().id;
  header.seq = 1;
  header.rows = 1;
  TransactionEncoder encoder(header, std::string(32, 'm'));
  MessageRow row;
  row.id = id_of<RowId>(7, 7);
  row.type = "greeting";
  encoder.add_row(row);
  encoder.finish();
  ForwardBegin begin{{0, origin_chain_start("mallory", hello.epoch)}};
  world_.scheduler().after(20 * kMillisecond, [this, link, begin, part = *encoder.take_part()] {
    world_.send_up(link, ForwardUp(begin));
    world_.send_up(link, ForwardUp(ForwardParts{{part}}));
    world_.cut(link, kSecond);
  });
}

// Another agent, which minds no lock, takes a tick; in an epoch that a hub has agreed to, as any
// would.
void Runner::intrude(Spoke& spoke) {
  if (!spoke.is_up() || !spoke.origin().attached) return;
  OutboxSession session(spoke.database());
  if (Result<spoke::OutboxState> state = session.open(); state)
    static_cast<void>(session.take_tick(state->last_tick).is_ok());
}

// policy SPOKE [publish=PATTERN,…] [receive=PATTERN,…]
void Runner::set_policy(const std::string& who) {
  Permissions permissions = world_.oracle().permissions();
  if (!text("publish").empty()) permissions[who].publish = split_list(text("publish"));
  if (!text("receive").empty()) permissions[who].receive = split_list(text("receive"));
  world_.set_permissions(std::move(permissions));
}

void Runner::act(const std::string& verb, const std::string& who) {
  if (world_.hubs().contains(who)) return on_hub(verb, world_.hub(who));
  Spoke& spoke = world_.spoke(who);
  if (verb == "commit" || verb == "roll-back") return commit(spoke, verb == "roll-back");
  if (verb == "policy") return set_policy(who);
  if (verb == "impersonate") return impersonate(spoke);
  if (verb == "intrude") return intrude(spoke);
  if (verb == "move") return spoke.move(words_.at(2), ms("within", 100));
  if (verb == "clock") return spoke.jump_clock(number("seconds", 3600) * kSecond);
  if (verb == "cut" || verb == "swallow" || verb == "partition") return on_link(verb, spoke);
  if (verb == "kill") {
    ++outcome_.crashes;
    spoke.stop();
    return restart(spoke, ms("for", 50));
  }
  if (verb == "subscribe") {
    spoke.stop();
    spoke.subscribe(split_list(words_.at(2)));
    return restart(spoke, ms("for", 20));
  }
  on_database(verb, spoke);
}

void Runner::carry_out(const Step& step) {
  if (step.at_ms == 0 && step.words[0] == "subscribe") return;
  words_ = step.words;
  for (const auto& [name, spoke] : world_.spokes()) spoke->database().now = world_.now();
  world_.say("step", step.text());
  act(words_.at(0), words_.at(1));
}

// ---- rest ---------------------------------------------------------------------------------------

bool Runner::is_at_rest() const {
  for (const auto& [name, spoke] : world_.spokes()) {
    if (!spoke->is_up() || !spoke->database().is_captured()) return false;
    spoke::OriginStatus origin = spoke->origin();
    if (!origin.attached || origin.journaled != origin.tip) return false;
    if (world_.follower()) continue;
    spoke::DestinationStatus destination = spoke->destination();
    if (!destination.attached) return false;
    if (spoke->gap_closed || world_.now() < looked_at_) return false;  // it has not been told yet
    const Hub& hub = *world_.hubs().begin()->second;
    if (destination.position != hub.journal().info().head) return false;
    for (const GapState& gap : spoke->database().state().gaps)
      if (!gap.closed) return false;
  }
  return !world_.follower() || world_.follower()->is_settled();
}

void Runner::close_gaps() {
  for (const auto& [name, spoke] : world_.spokes()) {
    Database& database = spoke->database();
    database.now = world_.now();
    for (std::size_t i = 0; i < database.state().gaps.size(); ++i)
      if (!database.state().gaps[i].closed) {
        database.close_gap(i);
        spoke->gap_closed = true;
        looked_at_ = world_.now() + 3 * kSecond;
      }
  }
}

// A life that the hub refuses, as it knows a successor or a second child, waits for an operator.
void Runner::adopt() {
  for (const auto& [name, spoke] : world_.spokes()) {
    if (!spoke->is_up() || spoke->origin().attached ||
        spoke->origin().trouble.find("oltp20ctl spokes adopt") == std::string::npos)
      continue;
    for (const auto& [hub_name, hub] : world_.hubs())
      hub->post(hub::EpochAdopted{name, spoke->database().state().epochs.back().id});
  }
}

// Faults have ended. One more transaction an origin shows every hole in front of it; operators give
// up what is lost; then everything that can come must have come.
void Runner::come_to_rest() {
  auto stop = [this] { return stopped(); };
  for (const auto& [name, hub] : world_.hubs()) hub->start();
  for (const auto& [name, spoke] : world_.spokes()) {
    spoke->connected = true;
    spoke->start();
    words_ = {"commit", name, "greeting"};
    commit(*spoke, false);
  }
  Micros end = world_.now() + kRest;
  Micros close_at = world_.now() + 20 * kSecond;
  while (!stopped() && world_.now() < end) {
    world_.scheduler().run_until(world_.now() + 250 * kMillisecond, stop);
    if (is_at_rest()) return;
    adopt();
    if (world_.now() < close_at) continue;
    close_gaps();
    close_at = world_.now() + 15 * kSecond;
  }
  if (stopped()) return;
  std::string who;
  for (const auto& [name, spoke] : world_.spokes())
    if (spoke->is_up())
      who += " " + name + ": journaled " + std::to_string(spoke->origin().journaled) + " of " +
             std::to_string(spoke->origin().tip) + " (" + spoke->origin().trouble +
             "), applied up to " + std::to_string(spoke->destination().position.lsn) + " (" +
             spoke->destination().trouble + ");";
  world_.checks().fail("progress", "without faults nothing comes to rest:" + who);
}

Outcome Runner::run() {
  begin();
  try {
    auto stop = [this] { return stopped(); };
    for (const Step& step : scenario_.steps) {
      world_.scheduler().run_until(kSecond + step.at_ms * kMillisecond, stop);
      if (stopped()) break;
      carry_out(step);
    }
    if (!stopped()) world_.scheduler().run_until(world_.now() + 6 * kSecond, stop);
    if (!stopped()) come_to_rest();
    if (!stopped()) world_.scheduler().run_until(world_.now() + 2 * kSecond, stop);  // receipts
    if (!stopped()) world_.checks().at_end();
  } catch (const CheckFailed& failed) {
    world_.checks().fail("check", failed.text);
  } catch (const std::exception& error) {
    world_.checks().fail("check", error.what());
  }
  outcome_.breach = world_.checks().breach();
  outcome_.events = world_.scheduler().events();
  outcome_.virtual_us = world_.now();
  outcome_.counts = world_.checks().counts();
  return outcome_;
}

}  // namespace

Outcome run(const Scenario& scenario) {
  broken_switch = switch_of(scenario.switched).value_or(Switch::none);
  return Runner(scenario).run();
}

}  // namespace oltp20::sim
