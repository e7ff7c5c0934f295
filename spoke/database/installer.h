// Puts the schema into a database and takes it out again: `oltp20-spoke install` and `uninstall`.
#pragma once

#include <string>

#include "common/base/status.h"

namespace oltp20::spoke {

struct InstallOptions {
  std::string admin_url;        // needs CREATE on the database, and CREATEROLE unless roles exist
  std::string agent_url;        // its user is created with LOGIN if missing, and gets the rights
  std::string order = "exact";  // or "fast"
};

// Roles, the migrations that are missing, the order mode: in one transaction, which either happens
// or does not. Running it again is harmless. Errors: invalid (not UTF8; a changed or newer
// migration), denied (with the statements that someone with CREATEROLE has to run), unavailable.
Status install(const InstallOptions& options);

// Drops the schemas oltp20 and message, with all they hold; the roles stay, other databases may use
// them. Errors: conflict when an agent runs, or when something is not yet stable, unless `force`.
Status uninstall(const std::string& admin_url, bool force);

}  // namespace oltp20::spoke
