import FederationEngine
import Foundation
import Logging
import MatrixFederation
import MatrixHTTP
import MatrixWire
import NIOPosix
import PresenceModel
import PresenceRuntime

/// What a server needs to talk to others.
struct FederationParts: Sendable {
    let ownKeys: OwnKeys
    let transport: FederationTransport
    let keys: KeyRing
    let sender: TransactionSender

    /// `nil` where federation is switched off.
    /// - Throws: ``StartFailure``.
    init?(_ configuration: ServerConfiguration, clock: AnchoredClock, logger: Logger) throws {
        guard configuration.federation.enabled else { return nil }
        ownKeys = try FederationParts.loadOrMakeKeys(configuration, logger: logger)
        transport = try FederationParts.transport(configuration, clock: clock, logger: logger)
        keys = KeyRing(
            pinned: try FederationParts.readPinnedKeys(configuration.federation.pinnedKeys),
            notaries: configuration.federation.notaries.filter { $0 != configuration.serverName }, transport: transport,
            clock: clock, validityLimit: configuration.federation.keyValidityLimit, logger: logger)
        sender = TransactionSender(
            server: configuration.serverName, keys: ownKeys, transport: transport, access: configuration.access,
            busyValue: configuration.federation.busyAs.value,
            ageGranularity: configuration.presence.ageGranularity, clock: clock, logger: logger)
    }

    /// The way to other servers.
    /// - Throws: ``StartFailure``.
    static func transport(
        _ configuration: ServerConfiguration, clock: AnchoredClock, logger: Logger
    ) throws -> FederationTransport {
        var settings = FederationTransport.Configuration()
        settings.extraAuthorities = configuration.federation.caFile
        settings.requestTimeout = configuration.federation.requestTimeout
        settings.resolve = configuration.federation.resolve.mapValues { .init(host: $0.host, port: $0.port) }
        settings.allowedNetworks = configuration.federation.allowedNetworks
        settings.dnsServers = configuration.federation.dnsServers.map(\.description)
        settings.connectTimeout = configuration.federation.connectTimeout
        settings.doubtfulConnectTimeout = min(settings.doubtfulConnectTimeout, settings.connectTimeout)
        settings.doubtfulLimit = configuration.federation.doubtfulLimit
        do {
            return try FederationTransport(
                configuration: settings, group: MultiThreadedEventLoopGroup.singleton, clock: clock, logger: logger)
        } catch let failure as FederationTransport.UnusableDNSServers {
            throw StartFailure("cannot use federation.dns_servers", ["reason": "\(failure.reason)"])
        } catch {
            throw StartFailure(
                "cannot use federation.ca_file; it must be PEM certificates",
                ["path": "\(configuration.federation.caFile ?? "")", "reason": "\(error)"])
        }
    }

    /// Takes up a key that was rotated while the server runs.
    func followKeys(_ logger: Logger) {
        switch ownKeys.refresh() {
        case .none: break
        case .taken(let key):
            logger.notice("took up the signing keys from their file", metadata: ["key": "\(key)"])
        case .problem(let reason):
            logger.error(
                "the signing keys changed and cannot be used; those of before hold until it is mended",
                metadata: ["reason": "\(reason)"])
        }
    }

    private static func loadOrMakeKeys(_ configuration: ServerConfiguration, logger: Logger) throws -> OwnKeys {
        let path = configuration.signingKeyPath
        do {
            if configuration.federation.signingKey == nil, !FileManager.default.fileExists(atPath: path) {
                let key = try SigningKey.create(path: path)
                logger.notice("made a signing key", metadata: ["path": "\(path)", "key": "\(key.id)"])
            }
            return try OwnKeys(path: path, signingWith: configuration.federation.signingKeyID)
        } catch let error as SigningKeyFileError {
            throw StartFailure("cannot use the signing key", ["path": "\(error.path)", "reason": "\(error.message)"])
        }
    }

    /// `{"verify_keys":{server:{key_id:"<base64>"}}}`
    static func readPinnedKeys(_ path: String?) throws -> KeyRing.Pinned {
        guard let path else { return [:] }
        func fail(_ reason: String) -> StartFailure {
            StartFailure("cannot use federation.pinned_keys", ["path": "\(path)", "reason": "\(reason)"])
        }
        guard let contents = FileManager.default.contents(atPath: path) else { throw fail("cannot be read") }
        guard let servers = try? JSONParser.lenient.parse(Array(contents)).value["verify_keys"]?.object else {
            throw fail("is not JSON with an object verify_keys")
        }
        var pinned: KeyRing.Pinned = [:]
        for member in servers.members {
            guard let server = try? ServerName(parsing: member.key), let keys = member.value.object else {
                throw fail("'\(member.key)' is not a server name with an object of keys")
            }
            for key in keys.members {
                guard let id = try? SigningKeyID(parsing: key.key), let text = key.value.string,
                    let bytes = Base64.decode(text), bytes.count == 32
                else { throw fail("'\(key.key)' of \(server) is not a key id with 32 bytes in base64") }
                pinned[server, default: [:]][id] = bytes
            }
        }
        return pinned
    }
}
