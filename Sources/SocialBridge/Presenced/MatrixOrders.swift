import BridgeEngine
import PresenceModel
import SocialEngine
import Synchronization

/// Orders that were given and not carried out yet, in their order. The engine gives no second one about the same thing
/// before the first had its time, so there are no more than it knows users and pairs.
final class MatrixOrders: Sendable {
    private let orders = Mutex<[MatrixOrder]>([])
    /// One for whatever was ordered since the last look.
    let wakes: AsyncStream<Void>
    private let wakeUp: AsyncStream<Void>.Continuation

    init() { (wakes, wakeUp) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1)) }

    func add(_ order: MatrixOrder) {
        orders.withLock { $0.append(order) }
        wakeUp.yield()
    }

    func take() -> [MatrixOrder] {
        orders.withLock { orders in
            defer { orders = [] }
            return orders
        }
    }
}

/// Ghosts that are to be made, a few at a time: a homeserver may take its time.
final class GhostOrders: Sendable {
    private static let atOnce = 8

    private let making: any GhostMaking
    private let wanted: AsyncStream<(UserID, SocialAddress)>
    private let want: AsyncStream<(UserID, SocialAddress)>.Continuation

    /// - Parameter making: makes them where accounts are.
    init(making: any GhostMaking) {
        self.making = making
        // No more than the engine lets there be ghosts.
        (wanted, want) = AsyncStream.makeStream(bufferingPolicy: .unbounded)
    }

    func add(_ user: UserID, for address: SocialAddress) { want.yield((user, address)) }

    /// - Parameter introduce: tells presenced's own lists of one who was made, before it is reported.
    func run(telling ears: any BridgeEars, introduce: @escaping @Sendable (UserID) async -> Void) async {
        async let keeping: Void = making.keepUp()
        await withTaskGroup(of: Void.self) { group in
            var count = 0
            for await (user, address) in wanted {
                if count >= GhostOrders.atOnce { await group.next() } else { count += 1 }
                group.addTask { [making] in
                    do {
                        try await making.make(user, for: address)
                        await introduce(user)
                        await ears.hear(.ghostMade(address))
                    } catch {
                        await ears.hear(.ghostFailed(address))
                    }
                }
            }
        }
        await keeping
    }
}
