// SHA-256 (OpenSSL), incremental. Not thread-safe; one object a thread. Reusable after finish().
#pragma once

#include <memory>
#include <string_view>

#include "common/base/ids.h"

struct evp_md_ctx_st;

namespace oltp20 {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(std::string_view bytes);
  template <std::size_t N, typename Tag>
  void update(const Opaque<N, Tag>& id) {
    update(id.view());
  }
  // The digest of what was added since construction or the last finish().
  Hash finish();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

}  // namespace oltp20
