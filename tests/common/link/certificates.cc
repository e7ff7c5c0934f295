#include "tests/common/link/certificates.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace oltp20::link_test {
namespace {

// As each program does before its first link.
class RequireTls13 final : public ::testing::Environment {
 public:
  void SetUp() override { ASSERT_TRUE(require_tls13()); }
};
[[maybe_unused]] const auto* const kEnvironment =
    ::testing::AddGlobalTestEnvironment(new RequireTls13);

TlsPaths paths_in(const std::filesystem::path& directory) {
  return {directory / "ca.pem", directory / "cert.pem", directory / "key.pem", ""};
}

}  // namespace

std::string command_output(const std::string& command, int* exit_code) {
  std::FILE* pipe = ::popen(("{ " + command + "; } 2>&1").c_str(), "r");
  if (!pipe) throw std::runtime_error("cannot run " + command);
  std::string output;
  std::array<char, 4096> buffer;
  while (std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe))
    output.append(buffer.data(), got);
  int status = ::pclose(pipe);
  if (exit_code) *exit_code = status;
  return output;
}

void run_command(const std::string& command) {
  int status = 0;
  std::string output = command_output(command, &status);
  if (status != 0) throw std::runtime_error(command + ": " + output);
}

std::string file_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

CertificateFolder::CertificateFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "oltp20-link-XXXXXX").string();
  if (!::mkdtemp(pattern.data())) throw std::runtime_error("cannot make " + pattern);
  path_ = pattern;
}

CertificateFolder::~CertificateFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void CertificateFolder::make_ca(const std::string& name, const std::string& trust_domain) {
  run_command("certs/make-ca " + (path_ / name).string() + " --trust-domain " + trust_domain);
}

TlsPaths CertificateFolder::issue(const std::string& ca, const std::string& kind,
                                  const std::string& name, const std::string& more) {
  std::filesystem::path out = path_ / (ca + "-" + kind + "-" + name);
  std::string region = kind == "admin" ? "" : " --region eu";
  run_command("certs/issue " + (path_ / ca).string() + " " + kind + " " + name + region +
              " --out " + out.string() + " " + more);
  return paths_in(out);
}

TlsPaths CertificateFolder::issue_with_names(const std::string& ca, const std::string& directory,
                                             const std::string& subject_alt_name) {
  std::filesystem::path out = path_ / directory;
  std::filesystem::path authority = path_ / ca;
  std::filesystem::create_directories(out);
  std::string config = (authority / "ca.cnf").string();
  run_command("openssl req -new -config " + config +
              " -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=x -keyout " +
              (out / "key.pem").string() + " -out " + (out / "request.pem").string());
  std::ofstream extensions(out / "extensions.cnf");
  extensions << "basicConstraints = critical,CA:false\n";
  if (!subject_alt_name.empty()) extensions << "subjectAltName = " << subject_alt_name << "\n";
  extensions.close();
  run_command("openssl ca -batch -config " + config + " -days 10 -notext -in " +
              (out / "request.pem").string() + " -out " + (out / "cert.pem").string() +
              " -extfile " + (out / "extensions.cnf").string());
  std::filesystem::copy_file(authority / "ca.pem", out / "ca.pem");
  return paths_in(out);
}

void CertificateFolder::revoke(const std::string& ca, const TlsPaths& paths) {
  run_command("certs/revoke " + (path_ / ca).string() + " " + paths.cert);
}

Network& network() {
  static Network* const shared = [] {
    auto* made = new Network;
    std::atexit([] { std::filesystem::remove_all(network().folder.path()); });
    made->folder.make_ca("ca");
    made->hub = made->folder.issue("ca", "hub", "h1");
    made->spoke = made->folder.issue("ca", "spoke", "s1");
    made->admin = made->folder.issue("ca", "admin", "a1");
    return made;
  }();
  return *shared;
}

}  // namespace oltp20::link_test
