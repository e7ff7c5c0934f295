// A decoder that believes a length: the fuzzer must find it from nothing within seconds.
#include <cstddef>
#include <cstdint>
#include <string>

#include "common/base/bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  oltp20::ByteReader in(bytes);
  if (in.u8() != 'v' || in.u8() != '1') return 0;
  std::size_t length = in.u8();
  if (!in.ok()) return 0;
  volatile char last = bytes.data()[3 + length];
  return last == 0 ? 0 : 0;
}
