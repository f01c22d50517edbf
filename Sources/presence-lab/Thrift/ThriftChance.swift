import Foundation
import PresenceModel

/// Draws of one stream of chance, decided by a seed.
struct ThriftChance {
    private var generator: SeededGenerator

    /// - Parameter stream: different streams of one seed have nothing to do with each other.
    init(seed: UInt64, stream: UInt64) {
        var mixer = SeededGenerator(seed: seed &+ 0x5851_F42D_4C95_7F2D &* stream)
        generator = SeededGenerator(seed: mixer.next() ^ stream)
    }

    /// Above 0, at most 1.
    mutating func unit() -> Double { (Double(generator.next() >> 11) + 1) / 9_007_199_254_740_992 }

    mutating func happens(_ share: Double) -> Bool { unit() <= share }

    /// 0 to `count` - 1.
    mutating func below(_ count: Int) -> Int { min(Int(unit() * Double(count)), count - 1) }

    mutating func exponential(mean: Double) -> Double { -mean * log(unit()) }

    mutating func normal() -> Double { sqrt(-2 * log(unit())) * cos(2 * .pi * unit()) }

    mutating func logNormal(median: Double, sigma: Double, limit: Double) -> Double {
        min(median * exp(sigma * normal()), limit)
    }

    /// Heavy-tailed: at least `least`; its mean is `least` · `exponent` / (`exponent` - 1) without the limit.
    mutating func pareto(least: Double, exponent: Double, limit: Double) -> Double {
        min(least / pow(unit(), 1 / exponent), limit)
    }

    mutating func shuffle<Element>(_ list: inout [Element]) { list.shuffle(using: &generator) }
}

/// Ranks drawn with a probability that falls as a power of the rank.
struct ThriftRanks {
    private var sums: [Double] = []

    init(count: Int, exponent: Double) {
        var sum = 0.0
        for rank in 1...max(count, 1) {
            sum += 1 / pow(Double(rank), exponent)
            sums.append(sum)
        }
    }

    /// 0 is the most frequent.
    func draw(_ chance: inout ThriftChance) -> Int {
        let wanted = chance.unit() * (sums.last ?? 0)
        var low = 0
        var high = sums.count - 1
        while low < high {
            let middle = (low + high) / 2
            if sums[middle] < wanted { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
