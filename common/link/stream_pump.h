// StreamPump: one stream's reading and writing, the same on both sides: one read and one write at a
// time, a bounded number of frames handed over, heartbeats, silence. Private to common/link.
//
// Thread-safe; its operations complete in a completion queue's thread, which calls read_done() and
// write_done(). `outstanding` counts them, so that nothing is freed under gRPC.
#pragma once

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/link/convert.h"
#include "common/link/handoff.h"
#include "common/link/link_status.h"

namespace oltp20 {

// What a completion queue's tag points at.
class Completion {
 public:
  enum class Op { start, read, write, finish, done, alarm };
  struct Tag {
    Completion* owner;
    Op op;
  };
  virtual ~Completion() = default;
  virtual void complete(Op op, bool ok) = 0;

  // To start an operation with, now.
  void* tag(Op op) {
    hand_over(&tags_[static_cast<std::size_t>(op)]);
    return &tags_[static_cast<std::size_t>(op)];
  }
  // For what a completion queue gave back.
  static void came_back(void* tag, bool ok) {
    take_over(tag);
    auto* completion = static_cast<Tag*>(tag);
    completion->owner->complete(completion->op, ok);
  }

 private:
  Tag tags_[6] = {{this, Op::start},  {this, Op::read}, {this, Op::write},
                  {this, Op::finish}, {this, Op::done}, {this, Op::alarm}};
};

// What may wait to be written: more means that the peer does not read. The windows of the protocol
// keep a well-behaved pair far below.
inline constexpr std::size_t kUnsentBytes = 4 * limits::kDeliverWindowBytes;

// The bytes of transactions in a frame; the rest of it is small.
template <typename Frame>
std::size_t payload_bytes(const Frame& frame) {
  return std::visit(
      [](const auto& f) -> std::size_t {
        using Kind = std::decay_t<decltype(f)>;
        std::size_t bytes = 0;
        if constexpr (std::is_same_v<Kind, ForwardParts>) {
          for (const std::string& part : f.parts) bytes += part.size();
        } else if constexpr (std::is_same_v<Kind, DeliverBatch>) {
          bytes = window_cost(f);
        }
        return bytes;
      },
      frame);
}

template <typename Stream, typename In, typename InMessage, typename Out, typename OutMessage>
class StreamPump {
 public:
  StreamPump(Completion* owner, Stream* stream) : owner_(owner), stream_(stream) {}

  // All below with the owner's mutex held.
  // The stream is open: what was sent before goes out now.
  void start(Micros now) {
    started_ = true;
    last_in_us_ = last_beat_us_ = now;
    read_on();
    write_on();
  }
  // False: too much waits already.
  bool send(Out frame) {
    if (stopped_ || mute_) return true;
    if (unsent_.size() >= kUnsentFrames || unsent_bytes_ >= kUnsentBytes) return false;
    unsent_bytes_ += payload_bytes(frame);
    unsent_.push_back(std::move(frame));
    write_on();
    return true;
  }
  // Nothing but this is written any more.
  void send_last(Out frame) {
    drop_unsent();
    unsent_.push_back(std::move(frame));
    write_on();
  }
  void stop() {
    stopped_ = true;
    drop_unsent();
  }
  void stop_writing() {
    mute_ = true;
    drop_unsent();
  }
  void consumed(std::size_t frames) {
    handed_ -= std::min(handed_, frames);
    read_on();
  }
  // A frame for the owner; nullopt: a heartbeat, or nothing.
  Result<std::optional<In>> read_done(Micros now) {
    reading_ = false;
    last_in_us_ = now;
    Result<In> frame = from_wire(&incoming_);
    if (!frame) return frame.status();
    if (const auto* beat = std::get_if<Heartbeat>(&*frame)) {
      heard_us_ = now;
      heard_ = *beat;
      measure(*beat, now);
      read_on();
      return std::optional<In>();
    }
    ++handed_;
    read_on();
    return std::optional<In>(std::move(*frame));
  }
  void read_failed() { reading_ = false; }
  void write_done() {
    writing_ = false;
    write_on();
  }
  // Sends a heartbeat when one is due, whatever else is sent: it also measures. False: nothing came
  // for too long.
  bool beat(Micros now) {
    if (now - last_beat_us_ >= limits::kHeartbeat && !mute_ && !stopped_) {
      last_beat_us_ = now;
      beat_due_ = true;
      write_on();
    }
    bool listening = reading_;  // when the owner is behind, silence says nothing of the peer
    if (!listening) last_in_us_ = now;
    return now - last_in_us_ < limits::kSilence;
  }
  bool idle() const { return unsent_.empty() && !writing_; }  // a heartbeat may be left unsent
  bool writing() const { return writing_; }
  bool reading() const { return reading_; }
  std::size_t outstanding() const { return std::size_t{reading_} + std::size_t{writing_}; }
  LinkStatus status() const { return {rtt_us_, rtt_smoothed_us_, unsent_.size()}; }

 private:
  // An echo of what was never sent, or from the future, measures nothing: the peer wrote it.
  void measure(const Heartbeat& beat, Micros now) {
    if (beat.echo_us <= 0 || beat.echo_us > now || beat.echo_age_us < 0 ||
        beat.echo_age_us > now - beat.echo_us)
      return;
    rtt_us_ = std::max<Micros>(now - beat.echo_us - beat.echo_age_us, 1);
    rtt_smoothed_us_ =
        rtt_smoothed_us_ == 0 ? rtt_us_ : (rtt_smoothed_us_ * 836 + rtt_us_ * 164) / 1000;
  }
  void drop_unsent() {
    beat_due_ = false;
    unsent_.clear();
    unsent_bytes_ = 0;
  }
  void read_on() {
    if (!started_ || stopped_ || reading_ || handed_ >= limits::kStreamInflight) return;
    reading_ = true;
    incoming_.Clear();
    stream_->Read(&incoming_, owner_->tag(Completion::Op::read));
  }
  void write_on() {
    if (!started_ || stopped_ || writing_ || (unsent_.empty() && !beat_due_)) return;
    outgoing_.Clear();
    if (std::exchange(beat_due_, false)) {  // before what waits, and dated when it really goes
      Micros now = system_clock().monotonic_us();
      to_wire(Out(Heartbeat{now, heard_.sent_us, heard_.sent_us == 0 ? 0 : now - heard_us_}),
              &outgoing_);
    } else {
      to_wire(unsent_.front(), &outgoing_);
      unsent_bytes_ -= payload_bytes(unsent_.front());
      unsent_.pop_front();
    }
    writing_ = true;
    grpc::WriteOptions options;
    if (!unsent_.empty()) options.set_buffer_hint();
    stream_->Write(outgoing_, options, owner_->tag(Completion::Op::write));
  }

  Completion* const owner_;
  Stream* const stream_;
  InMessage incoming_;
  OutMessage outgoing_;
  std::deque<Out> unsent_;
  bool started_ = false, stopped_ = false, mute_ = false, reading_ = false, writing_ = false;
  std::size_t handed_ = 0, unsent_bytes_ = 0;
  bool beat_due_ = false;
  Micros last_in_us_ = 0, last_beat_us_ = 0;
  Heartbeat heard_;
  Micros heard_us_ = 0;
  Micros rtt_us_ = 0, rtt_smoothed_us_ = 0;
};

inline grpc::ChannelArguments common_channel_arguments() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(static_cast<int>(2 * limits::kFrameBytes));
  arguments.SetMaxSendMessageSize(static_cast<int>(2 * limits::kFrameBytes));
  return arguments;
}

}  // namespace oltp20
