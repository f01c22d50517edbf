import HeapModule

/// Deadlines of things that are numbered densely from 0: at most one each, moved for next to nothing.
///
/// A deadline that moves later is only noted; the queue looks again when the old one is due. Due things come out
/// in the order of their deadlines, equal deadlines in the order of their numbers.
public struct DeadlineQueue: Sendable {
    private struct Entry: Comparable, Sendable {
        var milliseconds: Int64
        var number: Int32

        static func < (left: Entry, right: Entry) -> Bool {
            left.milliseconds != right.milliseconds
                ? left.milliseconds < right.milliseconds : left.number < right.number
        }
    }

    private static let none = Int64.max

    private var heap = Heap<Entry>()
    /// The deadline that holds, by number.
    private var wanted: [Int64] = []
    /// When the queue will look next, by number: never later than `wanted`.
    private var queued: [Int64] = []

    /// A queue without deadlines.
    public init() {}

    /// The earliest moment at which something may be due; what is found then may have moved on.
    public var next: Instant? { heap.min.map { Instant(millisecondsSinceEpoch: $0.milliseconds) } }

    /// How many places the queue takes up; of what moved earlier some are left for a while.
    package var entryCount: Int { heap.count }

    /// The deadline of `number`, if it has one.
    public subscript(number: Int) -> Instant? {
        guard number < wanted.count, wanted[number] != DeadlineQueue.none else { return nil }
        return Instant(millisecondsSinceEpoch: wanted[number])
    }

    /// Sets, moves or (with `nil`) removes the deadline of `number`.
    public mutating func set(_ number: Int, to deadline: Instant?) {
        if number >= wanted.count {
            guard deadline != nil else { return }
            let missing = number + 1 - wanted.count
            wanted.append(contentsOf: repeatElement(DeadlineQueue.none, count: missing))
            queued.append(contentsOf: repeatElement(DeadlineQueue.none, count: missing))
        }
        let milliseconds = deadline?.millisecondsSinceEpoch ?? DeadlineQueue.none
        wanted[number] = milliseconds
        if milliseconds < queued[number] { enqueue(number, at: milliseconds) }
    }

    /// The next number whose deadline is at or before `now`; its deadline is gone then.
    public mutating func popDue(at now: Instant) -> Int? {
        while let first = heap.min, first.milliseconds <= now.millisecondsSinceEpoch {
            _ = heap.popMin()
            let number = Int(first.number)
            guard queued[number] == first.milliseconds else { continue }
            queued[number] = DeadlineQueue.none
            let deadline = wanted[number]
            guard deadline != DeadlineQueue.none else { continue }
            if deadline <= now.millisecondsSinceEpoch {
                wanted[number] = DeadlineQueue.none
                return number
            }
            enqueue(number, at: deadline)
        }
        return nil
    }

    private mutating func enqueue(_ number: Int, at milliseconds: Int64) {
        // What was queued for later and moved earlier stays behind; it must not pile up.
        if heap.count > 2 * queued.count + 64 { rebuild() }
        queued[number] = milliseconds
        heap.insert(Entry(milliseconds: milliseconds, number: Int32(number)))
    }

    private mutating func rebuild() {
        heap = Heap(
            queued.enumerated().compactMap { number, milliseconds in
                milliseconds == DeadlineQueue.none ? nil : Entry(milliseconds: milliseconds, number: Int32(number))
            })
    }
}
