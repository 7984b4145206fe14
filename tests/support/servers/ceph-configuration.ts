/** The configuration of a Ceph cluster that lives for one test run, with the reason of what is not plain. */

export interface CephFacts {
  readonly folder: string
  readonly cluster: string
  readonly monitorPort: number
  readonly port: number
  readonly tlsPort: number
  readonly certFile: string
  readonly keyFile: string
}

export function cephConfiguration({ folder, cluster, monitorPort, port, tlsPort, certFile, keyFile }: CephFacts): string {
  // The store takes four ports of a range and passes over those in use.
  const range = 20_000 + Math.floor(Math.random() * 10_000)
  return `
[global]
fsid = ${cluster}
mon_host = [v2:127.0.0.1:${monitorPort}]
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
# radosgw asks for an encrypted session with the monitor, which there is not without authentication.
ms_mon_client_mode = crc
ms_mon_service_mode = crc
ms_client_mode = crc
ms_service_mode = crc
ms_cluster_mode = crc
ms_bind_port_min = ${range}
ms_bind_port_max = ${range + 500}
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
run_dir = ${folder}/run
admin_socket = ${folder}/run/$name.asok
crash_dir = ${folder}/log
log_file = ${folder}/log/$name.log
mon_cluster_log_file = ${folder}/log/cluster.log
mon_cluster_log_to_file = false
keyring = ${folder}/keyring
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
mon_warn_on_pool_no_redundancy = false
[mon]
mon_data = ${folder}/mon
mon_initial_members = a
# The monitor stops itself on a disk that is nearly full, which says nothing here.
mon_data_avail_warn = 1
mon_data_avail_crit = 0
paxos_propose_interval = 0.05
[osd]
osd_data = ${folder}/osd
osd_objectstore = memstore
memstore_device_bytes = 8589934592
osd_class_load_list = *
osd_class_default_list = *
osd_heartbeat_grace = 60
[client]
rgw_data = ${folder}/rgw
# Without tcp_nodelay every answer with a body waits 40 ms: for its last packet, and our acknowledgement of the first.
rgw_frontends = beast tcp_nodelay=1 endpoint=127.0.0.1:${port} ssl_endpoint=127.0.0.1:${tlsPort} ssl_certificate=${certFile} ssl_private_key=${keyFile}
rgw_dns_name = localhost
rgw_crypt_require_ssl = false
# Deleted data is freed after seconds, not after two hours: it is all in RAM.
rgw_gc_obj_min_wait = 1
rgw_gc_processor_period = 5
rgw_gc_processor_max_time = 5
rgw_thread_pool_size = 64
rgw_enable_ops_log = false
rgw_enable_usage_log = false
rgw_rados_pool_pg_num_min = 4
rgw_bucket_default_quota_max_objects = -1
`
}
