import Foundation
import HomeserverLink
import MatrixFederation
import NIOSSL

/// The files that the configuration names: they are there, can be used, and secrets are their owner's.
enum FileChecks {
    static let name = "files"

    /// One file as it was found.
    struct Fact: Hashable, Sendable {
        enum State: Hashable, Sendable {
            case good
            /// There is none, and presenced makes it when it starts.
            case toBeMade
            /// Why it cannot be used, and what would mend it.
            case bad(String)
        }

        /// The key of the configuration.
        var key: String
        var path: String
        var state: State
        /// Whether everybody on the machine may read it.
        var isOpen = false
    }

    /// One finding if all is well, else one for each file that is to be seen to.
    static func judge(_ facts: [Fact]) -> [Finding] {
        var findings: [Finding] = []
        for fact in facts {
            switch fact.state {
            case .bad(let reason):
                findings.append(
                    .failed(
                        name, "\(fact.key): \(fact.path): \(reason)",
                        do: "Mend the file, or name the right one; run this as the user that presenced runs as."))
            case .toBeMade:
                findings.append(
                    .warning(
                        name, "\(fact.key): \(fact.path) is not there yet",
                        do: "presenced makes it at its first start: start it, then run this again."))
            case .good where fact.isOpen:
                findings.append(
                    .warning(
                        name, "\(fact.key): \(fact.path) is a secret, and everybody on this machine may read it",
                        do: "chmod o-rwx '\(fact.path)'"))
            case .good: break
            }
        }
        return findings.isEmpty ? [.ok(name, "\(facts.count) files are there, and secrets are secret")] : findings
    }

    /// Looks at the files. Those that the reader of the configuration has looked at already are there.
    static func look(_ configuration: ServerConfiguration) -> [Fact] {
        let service = configuration.homeserver.applicationService
        var facts: [Fact] = []
        if let path = service.registration {
            facts.append(secret("homeserver.application_service.registration", path, RegistrationFile.problem(path)))
        }
        if let path = service.adminTokenFile {
            facts.append(secret("homeserver.application_service.admin_token_file", path, nil))
        }
        if configuration.federation.enabled { facts.append(signingKey(configuration)) }
        if let pair = configuration.federation.tls.pair {
            facts.append(secret("federation.tls.key", pair.key, nil))
        }
        if configuration.admin.enabled {
            let path = configuration.adminTokenPath
            let isThere = FileManager.default.fileExists(atPath: path)
            facts.append(
                isThere
                    ? secret("admin.token_file", path, nil)
                    : Fact(key: "admin.token_file", path: path, state: .toBeMade))
        }
        if configuration.bridge.service != .off {
            if let path = configuration.bridge.tokensFile { facts.append(secret("bridge.tokens_file", path, nil)) }
            if let path = configuration.bridge.linksFile {
                let isThere = FileManager.default.isReadableFile(atPath: path)
                facts.append(
                    Fact(key: "bridge.links_file", path: path, state: isThere ? .good : .bad("cannot be read")))
            }
        }
        let authorities = [
            ("bridge.ca_file", configuration.bridge.caFile),
            ("homeserver.ca_file", configuration.homeserver.caFile),
            ("federation.ca_file", configuration.federation.caFile),
        ]
        for (key, path) in authorities {
            guard let path else { continue }
            let count = (try? NIOSSLCertificate.fromPEMFile(path).count) ?? 0
            facts.append(
                Fact(key: key, path: path, state: count > 0 ? .good : .bad("holds no certificate in the form PEM")))
        }
        return facts
    }

    private static func signingKey(_ configuration: ServerConfiguration) -> Fact {
        let (key, path) = ("federation.signing_key", configuration.signingKeyPath)
        if configuration.federation.signingKey == nil, !FileManager.default.fileExists(atPath: path) {
            return Fact(key: key, path: path, state: .toBeMade)
        }
        do {
            _ = try OwnKeys(path: path, signingWith: configuration.federation.signingKeyID)
            return secret(key, path, nil)
        } catch {
            return secret(key, path, (error as? SigningKeyFileError)?.message ?? "\(error)")
        }
    }

    private static func secret(_ key: String, _ path: String, _ problem: String?) -> Fact {
        if let problem { return Fact(key: key, path: path, state: .bad(problem)) }
        guard FileManager.default.isReadableFile(atPath: path) else {
            return Fact(key: key, path: path, state: .bad("cannot be read"))
        }
        let mode = (try? FileManager.default.attributesOfItem(atPath: path))?[.posixPermissions] as? Int ?? 0
        return Fact(key: key, path: path, state: .good, isOpen: mode & 0o007 != 0)
    }
}

extension RegistrationFile {
    /// Why the file cannot be used; `nil` if it can.
    fileprivate static func problem(_ path: String) -> String? {
        do throws(RegistrationError) {
            _ = try read(path)
            return nil
        } catch {
            return error.message
        }
    }
}
