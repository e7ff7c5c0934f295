// PgInbox: the destination's database, through libpqxx. The rules are those of spoke/core/inbox.h.
//
// Owns one connection, made by open() and given up at the first lost answer. One thread. Rows are
// streamed by COPY; of a large transaction only what libpq buffers is in memory.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/base/clock.h"
#include "spoke/core/inbox.h"

namespace oltp20::spoke {

struct PgInboxOptions {
  std::string url;
  // Told what a person should know, such as a lock that a stranger holds. In open()'s thread.
  std::function<void(const std::string&)> warn = {};
  // What one transaction's tables and handlers may take; of a large one, a part of it.
  Micros handler_timeout = 30 * kSecond;
};

class PgInbox : public Inbox {
 public:
  // The connection's socket, to poll for what an operator did (a closed gap); -1 when none.
  virtual int notification_socket() = 0;
  // True when an operator changed marks or positions, or the connection was lost: open() again.
  virtual bool take_notification() = 0;
  // Applies the dead letters that an operator wants tried again. Nothing while a large transaction
  // is being written: false then.
  virtual Result<bool> retry_dead_letters() = 0;
  // Any thread: ends the statement that is running, with an error; none is no harm.
  virtual void cancel() = 0;
};

std::unique_ptr<PgInbox> make_pg_inbox(PgInboxOptions options);

}  // namespace oltp20::spoke
