// The frames: what a peer's message says once Protobuf has read it. What is accepted means the
// same after it was written and read again.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "common/link/convert.h"
#include "tests/common/link/frame_equality.h"
#include "tests/fuzz/property.h"

namespace oltp20 {
namespace {

template <typename Wire, typename Frame>
void fuzz_frame(const std::string& bytes) {
  Wire message;
  if (!message.ParseFromString(bytes)) return;
  Result<Frame> frame = from_wire(&message);
  if (!frame) {
    DEMAND(frame.status().code() == Code::invalid);
    return;
  }
  Wire again;
  to_wire(*frame, &again);
  Result<Frame> back = from_wire(&again);
  DEMAND(back.is_ok());
  DEMAND(*back == *frame);
}

void fuzz(std::string_view bytes) {
  if (bytes.empty()) return;
  const std::string rest(bytes.substr(1));
  switch (static_cast<std::uint8_t>(bytes[0]) % 4) {
    case 0:
      return fuzz_frame<v1::ForwardUp, ForwardUp>(rest);
    case 1:
      return fuzz_frame<v1::ForwardDown, ForwardDown>(rest);
    case 2:
      return fuzz_frame<v1::DeliverUp, DeliverUp>(rest);
    default:
      return fuzz_frame<v1::DeliverDown, DeliverDown>(rest);
  }
}

}  // namespace
}  // namespace oltp20

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  google::protobuf::SetLogHandler(nullptr);  // a line for each string that is not UTF-8
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  oltp20::fuzz({reinterpret_cast<const char*>(data), size});
  return 0;
}
