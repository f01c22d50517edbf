import BridgeEngine
import PresenceModel
import SocialEngine

/// Sessions of all linked users with one service: the social side, but for how the service is spoken to.
public final class BridgedSessions: SocialSide {
    private let service: any BridgedService
    private let credentials: any SessionCredentials
    private let pauses: SessionPauses
    private let tally = SessionTally()
    private let orders: AsyncStream<SocialOrder>
    private let order: AsyncStream<SocialOrder>.Continuation

    /// - Parameter credentials: not asked for services that take none.
    public init(service: any BridgedService, credentials: any SessionCredentials, pauses: SessionPauses = .init()) {
        self.service = service
        self.credentials = credentials
        self.pauses = pauses
        // Bounded by the engine: a session of each link, and of an open session what it orders.
        (orders, order) = AsyncStream.makeStream(of: SocialOrder.self)
    }

    /// Returns at once.
    public func carryOut(_ order: SocialOrder) { self.order.yield(order) }

    /// How it stands.
    public func report() async -> SocialSideReport {
        var report = tally.report
        (report.connections, report.connectionsLimit) = await service.connections()
        return report
    }

    /// The kind of what went wrong last, also while the session is open again.
    public func latestFailure(of address: SocialAddress) async -> String? {
        tally.latestFailure(of: address)?.rawValue
    }

    /// Works until it is cancelled; once.
    public func run(telling ears: any BridgeEars) async {
        let book = SessionBook(
            SessionDriver.Shared(
                service: service, credentials: credentials, pauses: pauses, tally: tally,
                seats: SessionSeats(service.sessionsLimit), ears: ears))
        await withTaskGroup(of: Void.self) { group in
            group.addTask { for await order in self.orders { await book.take(order) } }
            if service.takesCredentials {
                group.addTask { for await user in self.credentials.changes() { await book.wake(user) } }
            }
            group.addTask { for await failure in self.service.connectionFailures() { self.tally.note(failure) } }
            await group.waitForAll()
        }
        await book.close()
    }
}

/// Who has a session.
private actor SessionBook {
    private let shared: SessionDriver.Shared
    private var drivers: [SocialAddress: SessionDriver] = [:]
    /// Those that still say their last word; whoever comes next at the address waits for them.
    private var leaving: [SocialAddress: SessionDriver] = [:]
    private var addresses: [UserID: SocialAddress] = [:]

    init(_ shared: SessionDriver.Shared) { self.shared = shared }

    func take(_ order: SocialOrder) async {
        let driver = drivers[order.actor]
        switch order {
        case .openSession(let address, let user):
            guard driver?.user != user else { return }
            await end(driver)
            let next = SessionDriver(address, of: user, shared)
            drivers[address] = next
            addresses[user] = address
            await next.start(after: leaving[address])
        case .closeSession(let address):
            drivers[address] = nil
            await end(driver)
        case .heartbeat(_, let whereabouts, let state): await driver?.heartbeat(whereabouts, state)
        case .stop: await driver?.leave()
        case .act(_, let action, let other): await driver?.act(action, towards: other)
        case .readFriendships: await driver?.readFriendships()
        }
    }

    func wake(_ user: UserID) async {
        guard let address = addresses[user] else { return }
        await drivers[address]?.wake()
    }

    func close() async {
        let open = drivers.sorted { $0.key < $1.key }.map(\.value)
        drivers = [:]
        for driver in open { await end(driver) }
        for driver in leaving.sorted(by: { $0.key < $1.key }).map(\.value) { await driver.finished() }
    }

    private func end(_ driver: SessionDriver?) async {
        guard let driver else { return }
        if addresses[driver.user] == driver.address { addresses[driver.user] = nil }
        leaving[driver.address] = driver
        await driver.close()
        Task {
            await driver.finished()
            if leaving[driver.address] === driver { leaving[driver.address] = nil }
            if drivers[driver.address] == nil { shared.tally.forget(driver.address) }
        }
    }
}
