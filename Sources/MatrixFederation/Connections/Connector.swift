import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import PresenceModel

/// A connection over TLS, for one exchange after the other.
struct Connection: Sendable {
    /// Whose it is; see ``ServerRoute``.
    var host: String
    var certificateName: String
    fileprivate let channel: any Channel
    fileprivate let handler: NIOLoopBound<ExchangeCarrier>

    fileprivate init(_ route: ServerRoute, _ channel: any Channel, _ handler: NIOLoopBound<ExchangeCarrier>) {
        host = route.host
        certificateName = route.certificateName
        self.channel = channel
        self.handler = handler
    }

    var id: ObjectIdentifier { ObjectIdentifier(channel) }

    var isOpen: Bool { channel.isActive }

    /// Done when it is closed, by whichever side.
    var closed: EventLoopFuture<Void> { channel.closeFuture }

    func close() { channel.close(promise: nil) }

    /// - Throws: ``ExchangeFailure``.
    func exchange(_ exchange: HTTPExchange) async throws(ExchangeFailure) -> HTTPReply {
        let promise = channel.eventLoop.makePromise(of: HTTPReply.self)
        channel.eventLoop.execute { handler.value.begin(exchange, promise) }
        do {
            return try await promise.futureResult.get()
        } catch let failure as ExchangeFailure {
            throw failure
        } catch {
            throw .broken("\(error)")
        }
    }
}

/// Why no connection came about.
enum ConnectFailure: Error, Sendable {
    /// The guard does not let us; why, in words.
    case guarded(String)
    case name(NameFailure, host: String)
    case timedOut(at: String)
    /// TLS was not agreed, or the certificate is not good; in words.
    case certificate(String, at: String)
    case unreachable(String, at: String)
}

/// Makes connections: looks up, asks the guard about each address, connects to that very address, checks the
/// certificate.
struct Connector: Sendable {
    let names: any NameResolving
    let addressGuard: AddressGuard
    let tls: NIOSSLContext
    let group: any EventLoopGroup
    let idleLimit: Duration

    /// Of one host no more addresses are tried.
    static let addressesLimit = 4

    /// Tries the targets in order, each at its addresses in order, until one answers with the right certificate.
    /// - Parameter timeout: the longest time for one address, TLS included.
    /// - Throws: ``ConnectFailure``, the first that was no matter of the guard's if there are several.
    func connect(
        _ route: ServerRoute, timeout: Duration, before deadline: NIODeadline
    ) async throws(ConnectFailure) -> Connection {
        var failures: [ConnectFailure] = []
        for (index, target) in route.targets.enumerated() {
            do {
                let share = NIODeadline.now() + (deadline - .now()) / (route.targets.count - index)
                return try await connect(to: target, route, timeout: timeout, before: share)
            } catch {
                failures.append(error)
            }
        }
        let telling = failures.first { if case .guarded = $0 { false } else { true } }
        throw telling ?? failures.first ?? .unreachable("there is nowhere to connect to", at: route.host)
    }

    private func connect(
        to target: ServerRoute.Target, _ route: ServerRoute, timeout: Duration, before deadline: NIODeadline
    ) async throws(ConnectFailure) -> Connection {
        let addresses = try await addresses(of: target)
        var failure: ConnectFailure?
        for (index, address) in addresses.enumerated() {
            let share = (deadline - .now()) / (addresses.count - index)
            do {
                return try await connect(to: address, target.port, route, within: min(share, TimeAmount(timeout)))
            } catch {
                failure = failure ?? error
            }
        }
        throw failure ?? .unreachable("no address", at: target.host)
    }

    /// The addresses that may be connected to.
    private func addresses(of target: ServerRoute.Target) async throws(ConnectFailure) -> [IPAddress] {
        var found: [IPAddress]
        if let literal = IPAddress(parsing: target.host) {
            found = [literal]
        } else {
            do throws(NameFailure) {
                found = try await names.addresses(of: target.host)
            } catch {
                throw .name(error, host: target.host)
            }
        }
        guard !target.isOperators else { return Array(found.prefix(Self.addressesLimit)) }
        let refusals = found.compactMap { addressGuard.refusal(of: $0) }
        found.removeAll { addressGuard.refusal(of: $0) != nil }
        if found.isEmpty, let refusal = refusals.first { throw .guarded(refusal) }
        return Array(found.prefix(Self.addressesLimit))
    }

    private func connect(
        to address: IPAddress, _ port: Int, _ route: ServerRoute, within limit: TimeAmount
    ) async throws(ConnectFailure) -> Connection {
        let place = address.isIPv4 ? "\(address):\(port)" : "[\(address)]:\(port)"
        guard limit > .zero else { throw .timedOut(at: place) }
        let loop = group.next()
        let established = loop.makePromise(of: Void.self)
        let timer = loop.scheduleTask(in: limit) { established.fail(ChannelError.connectTimeout(limit)) }
        defer { timer.cancel() }
        // An address is no name for TLS to send; the certificate is then checked against the address.
        let tlsName = IPAddress(parsing: route.certificateName) == nil ? route.certificateName : nil
        do {
            let socket = try SocketAddress(ipAddress: "\(address)", port: port)
            // One future for all of it, and TLS only where something listens: thousands of tries may find nothing.
            let connection = ClientBootstrap(group: loop).connectTimeout(limit).connect(to: socket).flatMap {
                [tls, idleLimit] channel in
                let carrier = ExchangeCarrier(established: established, idleLimit: TimeAmount(idleLimit))
                do {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(NIOSSLClientHandler(context: tls, serverHostname: tlsName))
                    try pipeline.addHTTPClientHandlers()
                    try pipeline.addHandler(carrier)
                } catch {
                    established.fail(error)
                }
                let handler = NIOLoopBound(carrier, eventLoop: channel.eventLoop)
                established.futureResult.whenFailure { _ in channel.close(promise: nil) }
                return established.futureResult.map { Connection(route, channel, handler) }
            }
            return try await connection.get()
        } catch {
            // Nobody waits for it any more, and a promise must not be forgotten.
            established.fail(error)
            throw Self.failure(error, for: route.certificateName, at: place)
        }
    }

    private static func failure(_ error: any Error, for name: String, at place: String) -> ConnectFailure {
        switch error {
        case ChannelError.connectTimeout: .timedOut(at: place)
        // The error's own cases do not tell this from a certificate that is refused.
        case NIOSSLError.handshakeFailed(let cause) where "\(cause)".contains("EOF during handshake"):
            .unreachable("it closed the connection while TLS was agreed", at: place)
        case let error as NIOSSLError: .certificate("no TLS for \(name): \(error)", at: place)
        case let error as NIOSSLExtraError: .certificate("no TLS for \(name): \(error)", at: place)
        case let error as IOError: .unreachable("\(error)", at: place)
        default: .unreachable("\(error)", at: place)
        }
    }
}

extension TimeAmount {
    fileprivate static func / (amount: TimeAmount, count: Int) -> TimeAmount {
        .nanoseconds(amount.nanoseconds / Int64(count))
    }
}
