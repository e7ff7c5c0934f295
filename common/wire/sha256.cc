#include "common/wire/sha256.h"

#include <openssl/evp.h>

#include "common/base/check.h"

namespace oltp20 {
namespace {

// Fetched once: an implicit fetch on each digest costs more than hashing a small row.
const EVP_MD* algorithm() {
  static const EVP_MD* md = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return md;
}

void start(EVP_MD_CTX* context) {
  CHECK(EVP_DigestInit_ex2(context, algorithm(), nullptr) == 1);
}

}  // namespace

void Sha256::Free::operator()(evp_md_ctx_st* context) const {
  EVP_MD_CTX_free(context);
}

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  start(context_.get());
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::string_view bytes) {
  CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
}

Hash Sha256::finish() {
  Hash out;
  CHECK(EVP_DigestFinal_ex(context_.get(), out.bytes.data(), nullptr) == 1);
  start(context_.get());
  return out;
}

}  // namespace oltp20
