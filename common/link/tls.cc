#include "common/link/tls.h"

#include <openssl/bn.h>
#include <openssl/conf.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <fstream>
#include <sstream>
#include <string_view>
#include <vector>

namespace oltp20 {
namespace {

template <auto Function>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    Function(object);
  }
};
using Bio = std::unique_ptr<BIO, Free<BIO_free_all>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Crl = std::unique_ptr<X509_CRL, Free<X509_CRL_free>>;

Result<std::string> read_file(const std::string& what, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return Status(Code::not_found, "the " + what + " " + path +
                                       " cannot be read: check the path in [tls] and the file's "
                                       "owner and mode");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Reads `text` in place, which must live on.
Bio bio_of(std::string_view text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Certificate parse_certificate(const std::string& pem) {
  Certificate out(PEM_read_bio_X509(bio_of(pem).get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  return out;
}

std::string serial_of(const ASN1_INTEGER* serial) {
  std::unique_ptr<BIGNUM, Free<BN_free>> number(ASN1_INTEGER_to_BN(serial, nullptr));
  char* hex = BN_bn2hex(number.get());
  std::string out(hex);
  OPENSSL_free(hex);
  return out;
}

std::vector<std::string> uri_names(X509* certificate) {
  std::vector<std::string> out;
  auto* names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_URI) continue;
    const ASN1_IA5STRING* uri = name->d.uniformResourceIdentifier;
    out.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)),
                     static_cast<std::size_t>(ASN1_STRING_length(uri)));
  }
  GENERAL_NAMES_free(names);
  return out;
}

std::int64_t seconds_of(const ASN1_TIME* time) {
  std::tm parts{};
  ASN1_TIME_to_tm(time, &parts);
  return timegm(&parts);
}

Result<CertificateInfo> info_of(X509* certificate, const std::string& name) {
  std::vector<std::string> uris = uri_names(certificate);
  if (uris.size() != 1)
    return Status(Code::invalid, name + " carries " + std::to_string(uris.size()) +
                                     " URI names where exactly one is needed; issue it with "
                                     "certs/issue");
  Result<Identity> identity = parse_identity(uris.front());
  if (!identity) return identity.status().in(name);
  return CertificateInfo{*identity, seconds_of(X509_get0_notAfter(certificate)),
                         serial_of(X509_get0_serialNumber(certificate))};
}

using Store = std::unique_ptr<X509_STORE, Free<X509_STORE_free>>;
using Verification = std::unique_ptr<X509_STORE_CTX, Free<X509_STORE_CTX_free>>;

// All certificates of a PEM text as the ones to trust; null when there is none.
Store store_of(const std::string& ca_pem) {
  Store store(X509_STORE_new());
  Bio text = bio_of(ca_pem);
  bool any = false;
  while (Certificate ca{PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr)})
    any |= X509_STORE_add_cert(store.get(), ca.get()) == 1;
  ERR_clear_error();
  return any ? std::move(store) : nullptr;
}

Status explain(int error, int depth, const std::string& name, const std::string& ca_path) {
  bool of_ca = depth > 0;
  const std::string whose = of_ca ? "the CA certificate in " + ca_path : name;
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return Status(Code::denied, whose + " has expired: " +
                                      (of_ca ? "make a new CA with certs/make-ca and issue anew"
                                             : "issue a new one with certs/rotate"));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return Status(Code::denied, whose + " is not valid yet: check this machine's clock");
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return Status(Code::denied,
                    name + " was not issued by the CA in " + ca_path +
                        ": use the CA of this network, or issue another with certs/issue");
    default:
      return Status(Code::denied, whose + " is not accepted (" +
                                      X509_verify_cert_error_string(error) +
                                      "): issue another with certs/issue");
  }
}

// `purpose`: X509_PURPOSE_…, 0 for none in particular.
Status check_issued(X509* certificate, const std::string& name, const std::string& ca_pem,
                    const std::string& ca_path, int purpose) {
  Store store = store_of(ca_pem);
  if (!store) return Status(Code::invalid, "the CA file " + ca_path + " holds no PEM certificate");
  Verification verification(X509_STORE_CTX_new());
  bool ok = X509_STORE_CTX_init(verification.get(), store.get(), certificate, nullptr) == 1;
  if (purpose != 0) ok = ok && X509_STORE_CTX_set_purpose(verification.get(), purpose) == 1;
  ok = ok && X509_verify_cert(verification.get()) == 1;
  ERR_clear_error();
  if (ok) return {};
  return explain(X509_STORE_CTX_get_error(verification.get()),
                 X509_STORE_CTX_get_error_depth(verification.get()), name, ca_path);
}

}  // namespace

Result<CertificateInfo> read_certificate(const std::string& pem) {
  Certificate certificate = parse_certificate(pem);
  if (!certificate) return Status(Code::invalid, "not a PEM certificate");
  return info_of(certificate.get(), "the certificate");
}

Result<CertificateInfo> check_peer_certificate(const std::string& pem, const std::string& ca_path,
                                               PeerRole role) {
  Certificate certificate = parse_certificate(pem);
  if (!certificate) return Status(Code::invalid, "the peer shows no certificate");
  Result<CertificateInfo> info = info_of(certificate.get(), "the peer's certificate");
  // Until it is verified, only a name that has our form is repeated in a log.
  std::string name = "the peer's certificate";
  if (info) name += " " + info->identity.uri();
  Result<std::string> ca = read_file("CA file", ca_path);
  if (!ca) return ca.status();
  int purpose = role == PeerRole::client ? X509_PURPOSE_SSL_CLIENT : X509_PURPOSE_SSL_SERVER;
  OLTP20_TRY(check_issued(certificate.get(), name, *ca, ca_path, purpose));
  return info;
}

Result<CertificateInfo> check_certificate_files(const TlsPaths& paths) {
  Result<std::string> ca = read_file("CA file", paths.ca);
  if (!ca) return ca.status();
  Result<std::string> cert = read_file("certificate", paths.cert);
  if (!cert) return cert.status();
  Result<std::string> key_text = read_file("key", paths.key);
  if (!key_text) return key_text.status();
  Certificate certificate = parse_certificate(*cert);
  if (!certificate)
    return Status(Code::invalid,
                  "the certificate file " + paths.cert + " holds no PEM certificate");
  Key key(PEM_read_bio_PrivateKey(bio_of(*key_text).get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (!key) return Status(Code::invalid, "the key file " + paths.key + " holds no PEM private key");
  bool belongs = X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();
  if (!belongs)
    return Status(Code::invalid, "the key " + paths.key + " does not belong to certificate " +
                                     paths.cert + ": replace both together, as certs/rotate does");
  OLTP20_TRY(check_issued(certificate.get(), "certificate " + paths.cert, *ca, paths.ca, 0));
  Result<CertificateInfo> info = info_of(certificate.get(), "certificate " + paths.cert);
  if (!info) return info;
  RevokedCertificates revoked;
  OLTP20_TRY(revoked.load(paths.crl, paths.ca));
  if (revoked.contains(info->serial_hex))
    return Status(Code::denied, "certificate " + paths.cert + " is revoked by " + paths.crl +
                                    ": issue another with certs/issue");
  return info;
}

Status require_tls13() {
  static const char kConfiguration[] =
      "openssl_conf = oltp20\n[oltp20]\nssl_conf = protocols\n[protocols]\n"
      "system_default = tls13\n[tls13]\nProtocol = ALL,-TLSv1.2,-TLSv1.1,-TLSv1,-SSLv3\n";
  OPENSSL_init_ssl(0, nullptr);  // the machine's own configuration first: ours must win
  CONF* configuration = NCONF_new(nullptr);
  Bio text = bio_of(kConfiguration);
  long line = 0;
  bool ok = NCONF_load_bio(configuration, text.get(), &line) > 0 &&
            CONF_modules_load(configuration, nullptr, 0) > 0;
  NCONF_free(configuration);
  ERR_clear_error();
  if (ok) return {};
  return Status(Code::internal, "OpenSSL does not accept the setting that requires TLS 1.3");
}

Status RevokedCertificates::load(const std::string& crl_path, const std::string& ca_path) {
  std::set<std::string> serials;
  if (!crl_path.empty()) {
    Result<std::string> text = read_file("revocation list", crl_path);
    if (!text) return text.status();
    Crl crl(PEM_read_bio_X509_CRL(bio_of(*text).get(), nullptr, nullptr, nullptr));
    ERR_clear_error();
    if (!crl)
      return Status(Code::invalid, "the revocation list " + crl_path +
                                       " holds no PEM CRL: make it with certs/revoke");
    Result<std::string> ca_text = read_file("CA file", ca_path);
    if (!ca_text) return ca_text.status();
    Certificate ca = parse_certificate(*ca_text);
    Key ca_key(ca ? X509_get_pubkey(ca.get()) : nullptr);
    bool genuine = ca_key && X509_CRL_verify(crl.get(), ca_key.get()) == 1;
    ERR_clear_error();
    if (!genuine)
      return Status(Code::invalid,
                    "the revocation list " + crl_path + " is not signed by the CA in " + ca_path);
    STACK_OF(X509_REVOKED)* revoked = X509_CRL_get_REVOKED(crl.get());
    for (int i = 0; i < sk_X509_REVOKED_num(revoked); ++i)
      serials.insert(serial_of(X509_REVOKED_get0_serialNumber(sk_X509_REVOKED_value(revoked, i))));
  }
  std::lock_guard lock(mutex_);
  serials_ = std::move(serials);
  return {};
}

bool RevokedCertificates::contains(const std::string& serial_hex) const {
  std::lock_guard lock(mutex_);
  return serials_.contains(serial_hex);
}

}  // namespace oltp20
