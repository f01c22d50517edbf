import FederationEngine
import Logging
import MatrixWire
import PresenceModel
import PresenceRuntime

/// Other servers' keys: pinned ones, and those fetched from the servers themselves.
///
/// A document counts only if it is for the server asked and signed by every key it lists. It is relied on until its
/// own end, at most ``FederationEngine/KeyValidity`` allows, and fetched anew from half its life on. At most
/// ``serversLimit`` documents are held; past that the one fetched longest ago is dropped. A server that could not
/// be asked is not asked again for ``pauseAfterFailure``. Spec: server-server API, retrieving server keys.
public actor KeyRing {
    /// The most key documents held.
    public static let serversLimit = 100_000
    /// Anyone can name any server in a header: past this many fetches at once a further server is not asked, and its
    /// request is refused.
    static let fetchesLimit = 256
    static let pauseAfterFailure = Duration.seconds(10)
    private static let documentLimitBytes = 64 * 1024

    /// Keys that need not be fetched, by server and key id.
    public typealias Pinned = [ServerName: [SigningKeyID: [UInt8]]]

    private struct Held {
        var keys: ServerKeys
        var validity: KeyValidity
        var fetched: Instant
    }

    private let pinned: Pinned
    private let transport: FederationTransport
    private let clock: any PresenceClock
    private let validityLimit: Duration
    private let logger: Logger
    private var held: [ServerName: Held] = [:]
    private var pausedUntil: [ServerName: Instant] = [:]
    private var fetches: [ServerName: Task<Held?, Never>] = [:]

    /// A ring without documents.
    /// - Parameter validityLimit: the longest time that any document is relied on.
    public init(
        pinned: Pinned, transport: FederationTransport, clock: any PresenceClock, validityLimit: Duration,
        logger: Logger
    ) {
        self.pinned = pinned
        self.transport = transport
        self.clock = clock
        self.validityLimit = validityLimit
        self.logger = logger
    }

    /// The public key that `server` signs requests with under `id` at this moment; `nil` if there is none to be had.
    func verifyKey(_ id: SigningKeyID, of server: ServerName) async -> [UInt8]? {
        if let key = pinned[server]?[id] { return key }
        let now = clock.now
        if let held = held[server], held.validity.holds(at: now), let key = held.keys.verifyKey(id) {
            if now >= held.validity.refetchAfter, fetches[server] == nil, !isPaused(server, at: now) {
                fetches[server] = startFetch(of: server)
            }
            return key
        }
        guard let fresh = await fetch(server), fresh.validity.holds(at: clock.now) else { return nil }
        return fresh.keys.verifyKey(id)
    }

    /// Joins a fetch that is under way.
    private func fetch(_ server: ServerName) async -> Held? {
        if let underway = fetches[server] { return await underway.value }
        guard !isPaused(server, at: clock.now), fetches.count < KeyRing.fetchesLimit else { return nil }
        let task = startFetch(of: server)
        fetches[server] = task
        return await task.value
    }

    private func startFetch(of server: ServerName) -> Task<Held?, Never> {
        Task {
            let document = await ask(server)
            fetches[server] = nil
            // Also after a success: a key id that the document does not have must not make us ask all the time.
            pause(server)
            guard let document else { return nil }
            let now = clock.now
            let validity = KeyValidity(validUntil: document.validUntil, fetched: now, limit: validityLimit)
            let fresh = Held(keys: document, validity: validity, fetched: now)
            if held.count >= KeyRing.serversLimit, let oldest = held.min(by: { $0.value.fetched < $1.value.fetched }) {
                held[oldest.key] = nil
            }
            held[server] = fresh
            return fresh
        }
    }

    private func ask(_ server: ServerName) async -> ServerKeys? {
        do throws(FederationError) {
            let reply = try await transport.request(
                "GET", "/_matrix/key/v2/server", at: server, authorization: nil, body: nil,
                replyLimitBytes: KeyRing.documentLimitBytes)
            guard reply.status == 200 else {
                throw FederationError(.refused(status: reply.status), server, "status \(reply.status) for its keys")
            }
            return try KeyRing.check(reply.body, of: server)
        } catch {
            logger.warning(
                "could not get the keys of a server; its requests are refused until then",
                metadata: ["server": "\(server)", "reason": "\(error.message)"])
            return nil
        }
    }

    /// A document that is for `server`, and signed by every key that it lists.
    static func check(_ body: [UInt8], of server: ServerName) throws(FederationError) -> ServerKeys {
        func fail(_ code: FederationError.Code, _ message: String) -> FederationError {
            FederationError(code, server, message)
        }
        guard let value = try? JSONParser.strict.parse(body).value, let object = value.object,
            let document = try? ServerKeys(decoding: value)
        else { throw fail(.malformed, "its key document is malformed") }
        guard document.serverName == server else { throw fail(.malformed, "its key document is for another server") }
        guard !document.verifyKeys.isEmpty else { throw fail(.malformed, "its key document lists no Ed25519 key") }
        let signed = CanonicalJSON.signingBytes(ofObject: object)
        for key in document.verifyKeys {
            let isSigned = document.signatures.contains { signature in
                signature.server == server && signature.keyID == key.id
                    && SigningKey.isValid(signature.signature, of: signed, by: key.key)
            }
            guard isSigned else { throw fail(.badSignature, "its key document is not signed by \(key.id)") }
        }
        return document
    }

    private func isPaused(_ server: ServerName, at now: Instant) -> Bool {
        pausedUntil[server].map { now < $0 } ?? false
    }

    private func pause(_ server: ServerName) {
        let now = clock.now
        if pausedUntil.count >= KeyRing.serversLimit { pausedUntil = pausedUntil.filter { now < $0.value } }
        if pausedUntil.count >= KeyRing.serversLimit { pausedUntil.removeAll() }
        pausedUntil[server] = now + KeyRing.pauseAfterFailure
    }
}
