// HubAdmin: answers what oltp20ctl asks. Each command is checked against the policy in force:
// looking needs "read", changing needs "write". Answers are JSON documents; their shapes are in
// README.md and grow only.
//
// Threads: query() from several; what belongs to the core is looked at in the core's thread.
#pragma once

#include <functional>
#include <string>

#include "common/link/server.h"
#include "hub/broker/broker.h"

namespace oltp20::hub {

struct AdminOptions {
  std::string hub;
  std::string region;
  std::string version;
  std::string data_dir;
  std::function<Result<CertificateInfo>()> certificate;  // the hub's own, as of now
  std::function<Status()> reload;                        // policy, revocation list
  std::function<void(const Identity&)> denied;           // it asked for what it may not do
};

class HubAdmin final : public AdminHandler {
 public:
  HubAdmin(AdminOptions options, Broker& broker, const Journal& journal);

  Reply query(const PeerInfo& who, const std::string& command, const std::string& arguments_json,
              const std::function<void(const std::string& json)>& progress) override;

 private:
  const AdminOptions options_;
  Broker& broker_;
  const Journal& journal_;
  const Micros started_us_;
};

}  // namespace oltp20::hub
