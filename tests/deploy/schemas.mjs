// Objects held against Kubernetes' and prometheus-operator's schemas, unknown fields refused at every level.
import { ROOT } from './support.mjs';

// By file: the packages export classes, which copy what they are given before they look at it.
const CORE = 'kubernetes-models/_schemas/IoK8sApi';
const OPERATOR = '@kubernetes-models/prometheus-operator/_schemas/ComGithubPrometheusOperatorPrometheusOperatorPkgApisMonitoringV1';
const SCHEMAS = {
  'v1 ConfigMap': `${CORE}CoreV1ConfigMap`,
  'v1 Namespace': `${CORE}CoreV1Namespace`,
  'v1 Secret': `${CORE}CoreV1Secret`,
  'v1 Service': `${CORE}CoreV1Service`,
  'v1 ServiceAccount': `${CORE}CoreV1ServiceAccount`,
  'apps/v1 DaemonSet': `${CORE}AppsV1DaemonSet`,
  'networking.k8s.io/v1 NetworkPolicy': `${CORE}NetworkingV1NetworkPolicy`,
  'rbac.authorization.k8s.io/v1 ClusterRole': `${CORE}RbacV1ClusterRole`,
  'rbac.authorization.k8s.io/v1 ClusterRoleBinding': `${CORE}RbacV1ClusterRoleBinding`,
  'rbac.authorization.k8s.io/v1 Role': `${CORE}RbacV1Role`,
  'rbac.authorization.k8s.io/v1 RoleBinding': `${CORE}RbacV1RoleBinding`,
  'monitoring.coreos.com/v1 PodMonitor': `${OPERATOR}PodMonitor`,
  'monitoring.coreos.com/v1 PrometheusRule': `${OPERATOR}PrometheusRule`,
};
const validators = new Map();
for (const [kind, module] of Object.entries(SCHEMAS)) validators.set(kind, (await import(`${ROOT}node_modules/${module}.js`)).validate);

// The compiled schemas let unknown fields pass. But they look at all that they know: a field that nobody has
// asked for is in no schema.
function watched(object) {
  const read = new Map();
  const watch = (value) => value === null || typeof value !== 'object' ? value : new Proxy(value, {
    get(target, key) {
      if (!read.has(target)) read.set(target, new Set());
      read.get(target).add(key);
      return watch(target[key]);
    },
  });
  const unread = (value, path) => value === null || typeof value !== 'object' ? [] : Object.keys(value).flatMap((key) =>
    read.get(value)?.has(key) ? unread(value[key], `${path}/${key}`) : [`${path}/${key}`]);
  return { object: watch(object), unread: () => unread(object, '') };
}

/** What is wrong with an object, in sentences. */
export function faults(object) {
  const kind = `${object.apiVersion} ${object.kind}`;
  const validate = validators.get(kind);
  if (!validate) return [`${kind}: no schema`];
  const watch = watched(object);
  validate(watch.object);
  return [
    ...(validate.errors ?? []).map(({ instancePath, message, keyword, params }) =>
      `${instancePath}: ${message ?? keyword} ${JSON.stringify(params)}`),
    ...watch.unread().map((path) => `${path}: unknown field`),
  ];
}
