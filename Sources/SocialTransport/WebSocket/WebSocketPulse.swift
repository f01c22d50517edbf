import NIOCore
import Synchronization

/// Keeps the connections of one event loop alive: each is visited once in an interval, a part of them at a time.
///
/// One timer for all of them, which runs only while there are any.
final class WebSocketPulse {
    /// Where a connection stands.
    struct Place {
        fileprivate var slot: Int
        fileprivate var index: Int
    }

    private static let slotCount = 16

    private let eventLoop: any EventLoop
    private let step: TimeAmount
    private var slots = [[WebSocketConnection]](repeating: [], count: slotCount)
    private var count = 0
    private var hand = 0
    private var nextSlot = 0
    private var isRunning = false

    init(eventLoop: any EventLoop, interval: Duration) {
        self.eventLoop = eventLoop
        step = .nanoseconds(max(TimeAmount(interval).nanoseconds / Int64(WebSocketPulse.slotCount), 1_000_000))
    }

    /// The first visit comes after no more than one interval.
    func add(_ connection: WebSocketConnection) {
        precondition(connection.pulsePlace == nil, "added twice")
        connection.pulsePlace = Place(slot: nextSlot, index: slots[nextSlot].count)
        slots[nextSlot].append(connection)
        nextSlot = (nextSlot + 1) % slots.count
        count += 1
        if !isRunning { schedule() }
    }

    /// Nothing if it has been removed.
    func remove(_ connection: WebSocketConnection) {
        guard let place = connection.pulsePlace else { return }
        connection.pulsePlace = nil
        count -= 1
        let last = slots[place.slot].removeLast()
        guard last !== connection else { return }
        slots[place.slot][place.index] = last
        last.pulsePlace = place
    }

    private func schedule() {
        isRunning = true
        eventLoop.assumeIsolated().scheduleTask(in: step) { [self] in
            isRunning = false
            hand = (hand + 1) % slots.count
            for connection in slots[hand] { connection.beat() }
            if count > 0 { schedule() }
        }
    }
}

/// A pulse for each event loop.
public final class WebSocketPulses: Sendable {
    /// Every 30 s, for whoever needs nothing else.
    public static let usual = WebSocketPulses(interval: .seconds(30))

    private let interval: Duration
    private let pulses = Mutex<[ObjectIdentifier: NIOLoopBound<WebSocketPulse>]>([:])

    /// - Parameter interval: between two pings of a connection; after two of them, and before three, in which nothing
    ///   came, the connection is cut.
    public init(interval: Duration) { self.interval = interval }

    /// Must be called on the event loop.
    func pulse(of eventLoop: any EventLoop) -> WebSocketPulse {
        pulses.withLock { pulses in
            if let known = pulses[ObjectIdentifier(eventLoop)] { return known }
            let made = NIOLoopBound(WebSocketPulse(eventLoop: eventLoop, interval: interval), eventLoop: eventLoop)
            pulses[ObjectIdentifier(eventLoop)] = made
            return made
        }.value
    }
}
