// Certificates for tests, made with the scripts of certs/ in a directory that goes with the object.
#pragma once

#include <filesystem>
#include <string>

#include "common/link/tls.h"

namespace oltp20::link_test {

class CertificateFolder {
 public:
  CertificateFolder();
  ~CertificateFolder();
  CertificateFolder(const CertificateFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

  // A CA in path()/name.
  void make_ca(const std::string& name, const std::string& trust_domain = "oltp20.test");
  // certs/issue into path()/name. `more`: further arguments, as typed. No revocation list is named.
  TlsPaths issue(const std::string& ca, const std::string& kind, const std::string& name,
                 const std::string& more = "");
  // Signed by the CA with any subjectAltName ("" for none), as certs/issue never would.
  TlsPaths issue_with_names(const std::string& ca, const std::string& directory,
                            const std::string& subject_alt_name);
  void revoke(const std::string& ca, const TlsPaths& paths);
  std::string crl(const std::string& ca) const { return (path_ / ca / "crl.pem").string(); }

 private:
  std::filesystem::path path_;
};

// What all tests share and none changes: a CA "ca" with hub/h1, spoke/s1 and admin/a1.
struct Network {
  CertificateFolder folder;
  TlsPaths hub, spoke, admin;
};
Network& network();

std::string file_text(const std::string& path);
void run_command(const std::string& command);  // throws with its output when it fails
std::string command_output(const std::string& command, int* exit_code = nullptr);

}  // namespace oltp20::link_test
