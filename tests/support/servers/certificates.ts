/** A certificate authority of the run, and a certificate of localhost and 127.0.0.1 that it signed. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { folderOf, need, runCommand } from './processes.ts'

export interface Certificates {
  /** What clients have to trust, as PEM. */
  readonly ca: string
  readonly caFile: string
  readonly certFile: string
  readonly keyFile: string
}

const made = new Map<string, Promise<Certificates>>()

/** Made once per run. */
export function startSharedCertificates(run: string): Promise<Certificates> {
  const certificates = made.get(run) ?? makeCertificates(run)
  made.set(run, certificates)
  return certificates
}

async function makeCertificates(run: string): Promise<Certificates> {
  const openssl = need('openssl')
  const folder = folderOf(run, 'tls')
  const [caKey, caFile, keyFile, certFile] = ['ca-key.pem', 'ca.pem', 'key.pem', 'cert.pem'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
    string,
  ]
  const request = [openssl, 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '3650']
  await runCommand([...request, '-keyout', caKey, '-out', caFile, '-subj', '/CN=Stowage test authority'])
  const leaf = ['-addext', 'subjectAltName=DNS:localhost,DNS:*.localhost,IP:127.0.0.1', '-addext', 'basicConstraints=critical,CA:FALSE']
  const signed = ['-subj', '/CN=localhost', '-CA', caFile, '-CAkey', caKey, ...leaf]
  await runCommand([...request, '-keyout', keyFile, '-out', certFile, ...signed])
  return { ca: await readFile(caFile, 'utf8'), caFile, certFile, keyFile }
}
