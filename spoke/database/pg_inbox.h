// PgInbox: the destination's database, through libpqxx. The rules are those of spoke/core/inbox.h.
//
// Owns one connection, made by open() and given up at the first lost answer. One thread. Rows are
// streamed by COPY; of a large transaction only what libpq buffers is in memory.
#pragma once

#include <memory>
#include <string>

#include "spoke/core/inbox.h"

namespace oltp20::spoke {

struct PgInboxOptions {
  std::string url;
};

class PgInbox : public Inbox {
 public:
  // The connection's socket, to poll for what an operator did (a closed gap); -1 when none.
  virtual int notification_socket() = 0;
  // True when an operator changed marks or positions, or the connection was lost: open() again.
  virtual bool take_notification() = 0;
};

std::unique_ptr<PgInbox> make_pg_inbox(PgInboxOptions options);

}  // namespace oltp20::spoke
