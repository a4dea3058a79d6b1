// A stand-in for the Kubernetes API server: serves the objects it was given, over real HTTP, on a
// loopback address.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace volumeter::test {

class ApiServer {
 public:
  // With `key` and `certificate` (PEM files) it speaks TLS.
  explicit ApiServer(const std::string& key = "", const std::string& certificate = "");
  ~ApiServer();
  ApiServer(const ApiServer&) = delete;
  ApiServer& operator=(const ApiServer&) = delete;

  [[nodiscard]] std::string url() const;

  // The object's JSON at its path; the path is without a query. Clients may create and update
  // objects too, with the optimistic lock of metadata.resourceVersion.
  void put(const std::string& path, std::string json);
  [[nodiscard]] std::string object(const std::string& path) const;  // empty: there is none
  void remove(const std::string& path);
  // The node's pods, by uid: what lists answer (at /pods too, as a kubelet does), and what open
  // watches are told of.
  void set_pod(const std::string& uid, const std::string& json);
  void remove_pod(const std::string& uid);

  // Every request gets this status and a Status object; 0 serves again.
  void fail_with(int status);
  // Requests whose path begins so get this instead.
  void answer_with(const std::string& path, int status, const std::string& body,
                   const std::string& retry_after = "");
  void serve(const std::string& path);  // again
  void refuse_watches(int status);      // lists are served; 0: watches too
  // Bodies end in the middle.
  void cut(bool on);
  // Answers wait so long; with 0, those that wait are sent.
  void delay(std::chrono::milliseconds pause);
  // Only requests with this bearer token are served; others get 401.
  void require_token(std::string token);

  // Watches from versions before now are too old: told by HTTP status, or inside the stream.
  void forget_history(bool by_status);
  void send_to_watches(const std::string& line);  // as it is
  void end_watches();                             // as when their time is over
  void break_watches();                           // as when a network breaks

  // The last query seen for a path, how many requests there were (for paths that begin so), and
  // how many watches are open.
  [[nodiscard]] std::string last_query(const std::string& path) const;
  [[nodiscard]] int requests(const std::string& path = "") const;
  [[nodiscard]] int open_watches() const;

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
  std::string source_json = {};       // of the PersistentVolume; empty: as Node::csi_dir() has it
  std::string annotations_json = {};  // of the claim: R"("volumeter.io/walk":"on")"
  std::string capacity = {};          // of the PersistentVolume and the claim; empty: `storage`
};
void put_claim(ApiServer& api, const ClaimSpec& claim);
std::string claim_volume_json(const std::string& name, const std::string& claim);
// `volumes` are the JSON objects of spec.volumes.
std::string pod_json(const std::string& ns, const std::string& name, const std::string& uid,
                     const std::string& volumes, const std::string& owner_kind = "",
                     const std::string& owner_name = "", bool deleting = false);

}  // namespace volumeter::test
