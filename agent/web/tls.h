// The server's certificate and the clients', with GnuTLS. Files that are replaced are read again.
#pragma once

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "web/web_config.h"

namespace volumeter {

// A certificate with its chain and key, as GnuTLS wants them for a handshake.
class Certificate {
 public:
  static Result<std::shared_ptr<Certificate>> load(const TlsConfig& config);
  ~Certificate();
  Certificate(const Certificate&) = delete;
  Certificate& operator=(const Certificate&) = delete;

  gnutls_pcert_st* chain() { return chain_.data(); }
  [[nodiscard]] unsigned length() const { return static_cast<unsigned>(chain_.size()); }
  gnutls_privkey_t key() { return key_; }

 private:
  Certificate() = default;
  std::vector<gnutls_pcert_st> chain_;
  gnutls_privkey_t key_ = nullptr;
};

// Thread-safe.
class Tls {
 public:
  // Fails when a file can't be read, or the key isn't the certificate's.
  static Result<std::unique_ptr<Tls>> start(const TlsConfig& config);
  ~Tls();
  Tls(const Tls&) = delete;
  Tls& operator=(const Tls&) = delete;

  // "NORMAL:..." for MHD_OPTION_HTTPS_PRIORITIES.
  [[nodiscard]] std::string priorities() const;
  // PEM for MHD_OPTION_HTTPS_MEM_TRUST, which makes clients be asked for a certificate; empty: they
  // aren't.
  [[nodiscard]] const std::string& trust() const { return trust_; }
  // For MHD_OPTION_HTTPS_CERT_CALLBACK, which hands over no pointer of ours: it serves the Tls that
  // was started last. A process has one.
  static int retrieve(gnutls_session_t session, const gnutls_datum_t* requested, int count,
                      const gnutls_pk_algorithm_t* algorithms, int algorithm_count,
                      gnutls_pcert_st** chain, unsigned* length, gnutls_privkey_t* key);

  // Why the client of this session may not be served; empty: it may.
  [[nodiscard]] std::string refuse(gnutls_session_t session) const;

  // Reads the files again if they changed; the old ones stay should the new ones be wrong. Call
  // every few seconds.
  void refresh();

 private:
  explicit Tls(TlsConfig config) : config_(std::move(config)) {}
  Status load();

  const TlsConfig config_;
  std::string trust_;
  mutable std::mutex mutex_;
  // The last few: a handshake may be under way with one that has just been replaced.
  std::vector<std::shared_ptr<Certificate>> certificates_;
  gnutls_x509_trust_list_t clients_ = nullptr;
  std::string version_;  // of the files
};

}  // namespace volumeter
