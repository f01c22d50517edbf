import PresenceModel
import Testing

@Suite struct `A queue of deadlines under pressure` {
    @Test func `holds no more than it must, however often deadlines move earlier`() {
        var queue = DeadlineQueue()
        for milliseconds in stride(from: Int64(1_000_000), to: 0, by: -1) {
            queue.set(0, to: Instant(millisecondsSinceEpoch: milliseconds))
        }
        queue.set(1, to: Instant(millisecondsSinceEpoch: 500))
        #expect(queue.entryCount < 200)
        #expect(queue.popDue(at: Instant(millisecondsSinceEpoch: 1)) == 0)
        #expect(queue.popDue(at: Instant(millisecondsSinceEpoch: 499)) == nil)
        #expect(queue.popDue(at: Instant(millisecondsSinceEpoch: 500)) == 1)
        #expect(queue.popDue(at: .distantFuture) == nil)
    }
}

@Suite struct `Time` {
    @Test func `an instant saturates at both ends`() {
        let now = Instant(millisecondsSinceEpoch: 1_700_000_000_000)
        #expect(now.advanced(byMilliseconds: -2_000_000_000_000) == .epoch)
        #expect(now.advanced(byMilliseconds: .min) == .epoch)
        #expect(now.advanced(byMilliseconds: .max) == .distantFuture)
        #expect(Instant.distantFuture.advanced(byMilliseconds: 1) == .distantFuture)
        #expect(Instant.distantFuture + .hours(1) == .distantFuture)
        #expect(Instant.epoch.advanced(byMilliseconds: -1) == .epoch)
    }

    @Test func `instants and durations add up`() {
        let now = Instant(millisecondsSinceEpoch: 1_000)
        #expect((now + .seconds(2)).millisecondsSinceEpoch == 3_000)
        #expect((now + .seconds(2)) - now == .seconds(2))
        #expect(now.milliseconds(since: now + .seconds(2)) == -2_000)
        #expect(now < now + .milliseconds(1))
    }

    @Test func `a duration is whole milliseconds, rounded towards zero`() {
        #expect(Duration.microseconds(1_999).inMilliseconds == 1)
        #expect(Duration.microseconds(-1_999).inMilliseconds == -1)
        #expect(Duration.minutes(2) == .seconds(120))
        #expect(Duration.hours(2) == .minutes(120))
    }

    @Test(arguments: 0..<8) func `a queue of deadlines does what a map does, slowly`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var queue = DeadlineQueue()
        var map: [Int: Int64] = [:]
        var now: Int64 = 0
        for _ in 0..<3_000 {
            let number = Int.random(in: 0..<12, using: &generator)
            switch Int.random(in: 0..<10, using: &generator) {
            case 0..<6:
                let deadline = now + Int64.random(in: -5...60, using: &generator)
                queue.set(number, to: Instant(millisecondsSinceEpoch: deadline))
                map[number] = deadline
            case 6..<7:
                queue.set(number, to: nil)
                map[number] = nil
            default:
                now += Int64.random(in: 0...20, using: &generator)
                var due: [Int] = []
                while let popped = queue.popDue(at: Instant(millisecondsSinceEpoch: now)) { due.append(popped) }
                let expected = map.filter { $0.value <= now }.sorted { ($0.value, $0.key) < ($1.value, $1.key) }
                #expect(Set(due) == Set(expected.map(\.key)) && due.count == expected.count)
                for number in due { map[number] = nil }
            }
            for number in 0..<13 { #expect(queue[number]?.millisecondsSinceEpoch == map[number]) }
            if let earliest = map.values.min() {
                // Never later than what is due; it may look too early.
                #expect((queue.next?.millisecondsSinceEpoch ?? .max) <= earliest)
            }
        }
    }

    @Test func `due things come in the order of deadlines, equal ones in the order of numbers`() {
        var queue = DeadlineQueue()
        for (number, deadline) in [(3, 20), (1, 30), (2, 20), (0, 40)] {
            queue.set(number, to: Instant(millisecondsSinceEpoch: Int64(deadline)))
        }
        var order: [Int] = []
        while let number = queue.popDue(at: Instant(millisecondsSinceEpoch: 30)) { order.append(number) }
        #expect(order == [2, 3, 1])
        #expect(queue.next == Instant(millisecondsSinceEpoch: 40))
    }

    @Test func `a deadline that moved is due once, at its new time`() {
        var queue = DeadlineQueue()
        queue.set(0, to: Instant(millisecondsSinceEpoch: 10))
        queue.set(0, to: Instant(millisecondsSinceEpoch: 30))
        #expect(queue.popDue(at: Instant(millisecondsSinceEpoch: 29)) == nil)
        #expect(queue.next == Instant(millisecondsSinceEpoch: 30))
        queue.set(0, to: Instant(millisecondsSinceEpoch: 30))
        #expect(queue.popDue(at: Instant(millisecondsSinceEpoch: 30)) == 0)
        #expect(queue.popDue(at: Instant(millisecondsSinceEpoch: 99)) == nil)
        #expect(queue.next == nil)
    }

    @Test func `a seeded generator gives the numbers that SplitMix64 gives`() {
        var zero = SeededGenerator(seed: 0)
        #expect(
            (0..<3).map { _ in zero.next() } == [
                0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4, 0x06C4_5D18_8009_454F,
            ])
        var other = SeededGenerator(seed: 1_234_567)
        #expect(
            (0..<3).map { _ in other.next() } == [
                6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
            ])
    }
}
