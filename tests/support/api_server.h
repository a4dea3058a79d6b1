// A stand-in for the Kubernetes API server: serves the objects it was given, over real HTTP, on a
// loopback address.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace volumeter::test {

class ApiServer {
 public:
  ApiServer();
  ~ApiServer();
  ApiServer(const ApiServer&) = delete;
  ApiServer& operator=(const ApiServer&) = delete;

  [[nodiscard]] std::string url() const;

  // The object's JSON at its path; the path is without a query.
  void put(const std::string& path, std::string json);
  void remove(const std::string& path);
  // Every request gets this status and a Status object; 0 serves again.
  void fail_with(int status);
  // Only requests with this bearer token are served; others get 401.
  void require_token(std::string token);
  // The last query seen for a path, and how many requests there were.
  [[nodiscard]] std::string last_query(const std::string& path) const;
  [[nodiscard]] int requests() const;

  struct State;

 private:
  std::unique_ptr<State> state_;
};

// Objects as the API server writes them, with what volumeter reads.
struct ClaimSpec {
  std::string namespace_;
  std::string name;
  std::string volume;
  std::string storage;  // "40Mi"
  std::string storage_class = "standard";
  std::string access_mode = "ReadWriteOnce";
  std::string mode = "Filesystem";
  std::string source_json = R"("csi":{"driver":"demo.csi","volumeHandle":"h"})";
};
void put_claim(ApiServer& api, const ClaimSpec& claim);
std::string claim_volume_json(const std::string& name, const std::string& claim);
// `volumes` are the JSON objects of spec.volumes.
std::string pod_json(const std::string& ns, const std::string& name, const std::string& uid,
                     const std::string& volumes, const std::string& owner_kind = "",
                     const std::string& owner_name = "", bool deleting = false);
std::string pod_list_json(const std::string& pods);

}  // namespace volumeter::test
