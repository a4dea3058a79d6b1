#include "web/tls.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <fstream>
#include <sstream>

#include "volumeter/log.h"

namespace volumeter {
namespace {

constexpr std::size_t kKept = 8;
std::atomic<Tls*> g_serving = nullptr;

Error failed(const std::string& what, int code) { return {what + ": " + gnutls_strerror(code)}; }

Result<std::string> slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return Error::from_errno("read " + path, errno);
  return text.str();
}

gnutls_datum_t datum(const std::string& text) {
  return {reinterpret_cast<unsigned char*>(const_cast<char*>(text.data())),
          static_cast<unsigned>(text.size())};
}

// Kubernetes replaces a Secret's files by a symbolic link: another inode.
std::string version_of(const std::string& path) {
  struct stat status {};
  if (path.empty() || ::stat(path.c_str(), &status) != 0) return "-";
  return std::to_string(status.st_ino) + "." + std::to_string(status.st_mtim.tv_sec) + "." +
         std::to_string(status.st_mtim.tv_nsec) + "." + std::to_string(status.st_size);
}

bool verifies(const TlsConfig& config) {
  return config.client == ClientCertificate::kVerified ||
         config.client == ClientCertificate::kVerifiedIfGiven;
}

bool has_name(gnutls_x509_crt_t certificate, const std::vector<std::string>& names) {
  for (unsigned i = 0;; ++i) {
    std::array<char, 1024> name{};
    std::size_t size = name.size();
    const int type =
        gnutls_x509_crt_get_subject_alt_name(certificate, i, name.data(), &size, nullptr);
    if (type == GNUTLS_E_SHORT_MEMORY_BUFFER) continue;
    if (type < 0) return false;
    if (std::find(names.begin(), names.end(), std::string(name.data(), size)) != names.end())
      return true;
  }
}

}  // namespace

Result<std::shared_ptr<Certificate>> Certificate::load(const TlsConfig& config) {
  const auto certificate = slurp(config.certificate);
  if (!certificate) return certificate.error();
  const auto key = slurp(config.key);
  if (!key) return key.error();
  std::shared_ptr<Certificate> out(new Certificate);
  std::array<gnutls_pcert_st, 16> chain{};
  unsigned count = chain.size();
  gnutls_datum_t pem = datum(certificate.value());
  if (const int code =
          gnutls_pcert_list_import_x509_raw(chain.data(), &count, &pem, GNUTLS_X509_FMT_PEM, 0);
      code < 0) {
    return failed(config.certificate, code);
  }
  out->chain_.assign(chain.begin(), chain.begin() + count);
  gnutls_privkey_init(&out->key_);
  pem = datum(key.value());
  if (const int code =
          gnutls_privkey_import_x509_raw(out->key_, &pem, GNUTLS_X509_FMT_PEM, nullptr, 0);
      code < 0) {
    return failed(config.key, code);
  }
  gnutls_pubkey_t of_key = nullptr;
  gnutls_pubkey_init(&of_key);
  std::array<std::array<unsigned char, 64>, 2> ids{};
  std::array<std::size_t, 2> sizes{ids[0].size(), ids[1].size()};
  gnutls_pubkey_import_privkey(of_key, out->key_, 0, 0);
  gnutls_pubkey_get_key_id(of_key, GNUTLS_KEYID_USE_SHA256, ids[0].data(), sizes.data());
  gnutls_pubkey_get_key_id(out->chain_[0].pubkey, GNUTLS_KEYID_USE_SHA256, ids[1].data(),
                           &sizes[1]);
  gnutls_pubkey_deinit(of_key);
  if (ids[0] != ids[1]) return Error{config.key + " is not the key of " + config.certificate};
  return out;
}

Certificate::~Certificate() {
  for (gnutls_pcert_st& one : chain_) gnutls_pcert_deinit(&one);
  if (key_ != nullptr) gnutls_privkey_deinit(key_);
}

Result<std::unique_ptr<Tls>> Tls::start(const TlsConfig& config) {
  std::unique_ptr<Tls> tls(new Tls(config));
  if (const Status loaded = tls->load(); !loaded) return loaded.error();
  g_serving = tls.get();
  return tls;
}

Tls::~Tls() {
  Tls* self = this;
  g_serving.compare_exchange_strong(self, nullptr);
  if (clients_ != nullptr) gnutls_x509_trust_list_deinit(clients_, 1);
}

Status Tls::load() {
  const std::string version =
      version_of(config_.certificate) + version_of(config_.key) + version_of(config_.client_ca);
  if (version == version_) return Done{};
  version_ = version;
  auto certificate = Certificate::load(config_);
  if (!certificate) return certificate.error();
  if (config_.client != ClientCertificate::kIgnored) {
    const auto trust = slurp(config_.client_ca.empty() ? config_.certificate : config_.client_ca);
    if (!trust) return trust.error();
    gnutls_x509_trust_list_t clients = nullptr;
    gnutls_x509_trust_list_init(&clients, 0);
    const gnutls_datum_t pem = datum(trust.value());
    const int count = config_.client_ca.empty()
                          ? gnutls_x509_trust_list_add_system_trust(clients, 0, 0)
                          : gnutls_x509_trust_list_add_trust_mem(clients, &pem, nullptr,
                                                                 GNUTLS_X509_FMT_PEM, 0, 0);
    if (verifies(config_) && count <= 0) {
      gnutls_x509_trust_list_deinit(clients, 1);
      return Error{"no certificate in " +
                   (config_.client_ca.empty() ? "the system's store" : config_.client_ca)};
    }
    if (clients_ != nullptr) gnutls_x509_trust_list_deinit(clients_, 1);
    clients_ = clients;
    if (trust_.empty()) trust_ = trust.value();
  }
  certificates_.push_back(std::move(certificate).value());
  if (certificates_.size() > kKept) certificates_.erase(certificates_.begin());
  return Done{};
}

void Tls::refresh() {
  const std::lock_guard lock(mutex_);
  const std::size_t before = certificates_.size();
  const auto* const last = certificates_.back().get();
  if (const Status loaded = load(); !loaded) {
    log(LogLevel::kError, "the new certificate is not taken, the old one stays",
        {{"error", loaded.error().message}});
  } else if (certificates_.size() != before || certificates_.back().get() != last) {
    log(LogLevel::kInfo, "new certificate", {{"path", config_.certificate}});
  }
}

std::string Tls::priorities() const {
  std::string out = "NORMAL:-VERS-ALL";
  for (int version = config_.min_version; version <= config_.max_version; ++version) {
    out += ":+VERS-TLS1." + std::to_string(version - 10);
  }
  return out;
}

int Tls::retrieve(gnutls_session_t /*session*/, const gnutls_datum_t* /*requested*/, int /*count*/,
                  const gnutls_pk_algorithm_t* /*algorithms*/, int /*algorithm_count*/,
                  gnutls_pcert_st** chain, unsigned* length, gnutls_privkey_t* key) {
  Tls* tls = g_serving;
  if (tls == nullptr) return -1;
  const std::lock_guard lock(tls->mutex_);
  Certificate& certificate = *tls->certificates_.back();
  *chain = certificate.chain();
  *length = certificate.length();
  *key = certificate.key();
  return 0;
}

std::string Tls::refuse(gnutls_session_t session) const {
  if (config_.client == ClientCertificate::kIgnored ||
      config_.client == ClientCertificate::kRequested) {
    return {};
  }
  unsigned count = 0;
  const gnutls_datum_t* given = gnutls_certificate_get_peers(session, &count);
  if (given == nullptr || count == 0) {
    return config_.client == ClientCertificate::kVerifiedIfGiven
               ? ""
               : "a client certificate is required";
  }
  if (!verifies(config_)) return {};
  std::array<gnutls_x509_crt_t, 16> chain{};
  count = std::min<unsigned>(count, chain.size());
  unsigned read = 0;
  for (; read < count; ++read) {
    gnutls_x509_crt_init(&chain[read]);
    if (gnutls_x509_crt_import(chain[read], &given[read], GNUTLS_X509_FMT_DER) < 0) break;
  }
  std::string why = "the client's certificate is not readable";
  if (read == count) {
    std::string purpose = GNUTLS_KP_TLS_WWW_CLIENT;
    gnutls_typed_vdata_st data{GNUTLS_DT_KEY_PURPOSE_OID,
                               reinterpret_cast<unsigned char*>(purpose.data()), 0};
    unsigned status = ~0U;
    const std::lock_guard lock(mutex_);
    const int code = gnutls_x509_trust_list_verify_crt2(clients_, chain.data(), count, &data, 1, 0,
                                                        &status, nullptr);
    if (code < 0 || status != 0) {
      why = "the client's certificate is not valid here";
    } else if (!config_.client_names.empty() && !has_name(chain[0], config_.client_names)) {
      why = "the client's certificate has none of the allowed names";
    } else {
      why.clear();
    }
  }
  for (unsigned i = 0; i < std::min(read + 1, count); ++i) gnutls_x509_crt_deinit(chain[i]);
  return why;
}

}  // namespace volumeter
