import type { Publish } from '@kiwi/core'
import type { V1Service, V1ServicePort } from '@kubernetes/client-node'
import { annotations, labels, type Place, portName } from './names.js'

/** Port inside the cluster; the port outside is the node port. */
const clusterPort = 80

/** The target's Service before any slot is routed: its selector matches no pod, since no slot's label is empty. */
export function newService(place: Place, publish: Publish, token: number): V1Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: place.name,
      labels: { ...place.labels, [labels.managedBy]: 'kiwi' },
      annotations: { [annotations.token]: String(token) },
    },
    spec: { type: 'NodePort', selector: { ...place.labels, [labels.slot]: '' }, ports: portsOf(publish, undefined) },
  }
}

/** The writes that publish the Service as wanted; none when it is already. A port that the cluster chose stays the same. */
export function publishing(service: V1Service, publish: Publish): object[] {
  const { type, ports } = service.spec ?? {}
  const wanted = portsOf(publish, service)
  const [now, then] = [ports?.[0], wanted[0]]
  const same = now?.name === then?.name && now?.nodePort === then?.nodePort && now?.targetPort === portName
  if (same && ports?.length === 1 && type !== 'ClusterIP') return []
  return [
    { op: 'replace', path: '/spec/type', value: type === 'LoadBalancer' ? type : 'NodePort' },
    { op: 'replace', path: '/spec/ports', value: wanted },
  ]
}

function portsOf({ protocol, port }: Publish, service: V1Service | undefined): V1ServicePort[] {
  const nodePort = port === 0 ? service?.spec?.ports?.[0]?.nodePort : port
  const common = { name: protocol, protocol: 'TCP', port: clusterPort, targetPort: portName }
  return [nodePort === undefined ? common : { ...common, nodePort }]
}
