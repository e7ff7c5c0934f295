// The configuration: a file of a person, read as the kind that the first byte says. No exception
// and no crash, and every refusal has a sentence that names the file.
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "hub/config/hub_config.h"
#include "hub/config/policy_file.h"
#include "spoke/config/spoke_config.h"
#include "tests/fuzz/property.h"

namespace oltp20 {
namespace {

// In memory where there is such a file system: a file is written for each input.
class Directory {
 public:
  Directory() {
    std::error_code none;
    std::string name =
        (std::filesystem::is_directory("/dev/shm", none) ? std::filesystem::path("/dev/shm")
                                                         : std::filesystem::temp_directory_path()) /
        "oltp20-fuzz-XXXXXX";
    DEMAND(mkdtemp(name.data()) != nullptr);
    path_ = name;
    for (const char* file : {"ca.pem", "it.pem", "it.key", "policy.toml"})
      std::ofstream(path_ / file) << "";
  }
  ~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::filesystem::path file() const { return path_ / "fuzz.toml"; }

 private:
  std::filesystem::path path_;
};

template <typename Outcome>
void check(const Outcome& outcome) {
  if (outcome.is_ok()) return;
  DEMAND(outcome.status().code() == Code::invalid);
  DEMAND(outcome.status().message().find("fuzz.toml:") != std::string::npos);
}

void check_policy(const std::filesystem::path& file) {
  auto policy = hub::load_policy(file);
  check(policy);
  if (!policy) return;
  Identity who{Identity::Kind::spoke, "test", "eu", "store-17"};
  (void)(*policy)->may_publish(who, "order.new");
  (void)(*policy)->narrowed(who, {"order.>", "*.x"});
  (void)(*policy)->knows_destination("region/eu");
  (void)(*policy)->may_reach("region/eu", "greeting");
}

void fuzz(std::string_view bytes) {
  if (bytes.empty()) return;
  static const Directory directory;
  const std::filesystem::path file = directory.file();
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes.substr(1);
  switch (static_cast<std::uint8_t>(bytes[0]) % 3) {
    case 0:
      return check(hub::load_hub_config(file, {}));
    case 1:
      return check(spoke::load_spoke_config(file, {}));
    default:
      return check_policy(file);
  }
}

}  // namespace
}  // namespace oltp20

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  oltp20::fuzz({reinterpret_cast<const char*>(data), size});
  return 0;
}
