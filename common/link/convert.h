// Frames to and from their wire form. What comes from a peer is checked field by field: a wrong
// size or a missing frame is `invalid`, never a crash. Private to common/link.
#pragma once

#include "common/wire/frames.h"
#include "proto/broker.pb.h"

namespace oltp20 {

void to_wire(const ForwardUp& frame, v1::ForwardUp* out);
void to_wire(const ForwardDown& frame, v1::ForwardDown* out);
void to_wire(const DeliverUp& frame, v1::DeliverUp* out);
void to_wire(const DeliverDown& frame, v1::DeliverDown* out);

Result<ForwardUp> from_wire(v1::ForwardUp* in);
Result<ForwardDown> from_wire(v1::ForwardDown* in);
Result<DeliverUp> from_wire(v1::DeliverUp* in);
Result<DeliverDown> from_wire(v1::DeliverDown* in);

}  // namespace oltp20
