/// The hash of Ethereum: Keccak with the padding of the original submission, 256 bits.
///
/// SHA-3 as standardized pads otherwise, and no library at hand offers this form; so the permutation is here, after the
/// Keccak reference (version 3.0, sections 1.2 and 1.3: Keccak-f[1600], rate 1088). Proved by published vectors.
public enum Keccak256 {
    /// Bytes of a hash.
    public static let byteCount = 32

    /// The hash of `bytes`, 32 bytes.
    public static func hash(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        var state = [UInt64](repeating: 0, count: 25)
        var place = 0
        for byte in bytes {
            state[place >> 3] ^= UInt64(byte) << UInt64((place & 7) * 8)
            place += 1
            if place == rateBytes {
                permute(&state)
                place = 0
            }
        }
        state[place >> 3] ^= 0x01 << UInt64((place & 7) * 8)
        state[(rateBytes - 1) >> 3] ^= 0x80 << 56
        permute(&state)
        return (0..<byteCount).map { UInt8(truncatingIfNeeded: state[$0 >> 3] >> UInt64(($0 & 7) * 8)) }
    }

    private static let rateBytes = 136

    private static func permute(_ state: inout [UInt64]) {
        var columns = [UInt64](repeating: 0, count: 5)
        for constant in roundConstants {
            // Theta: every lane takes the parity of two columns.
            for x in 0..<5 {
                columns[x] = state[x] ^ state[x + 5] ^ state[x + 10] ^ state[x + 15] ^ state[x + 20]
            }
            for x in 0..<5 {
                let parity = columns[(x + 4) % 5] ^ rotated(columns[(x + 1) % 5], by: 1)
                for row in stride(from: 0, to: 25, by: 5) { state[row + x] ^= parity }
            }
            // Rho and pi: lanes are turned, and change their places along one cycle.
            var carried = state[1]
            for (lane, turn) in cycle {
                let next = state[lane]
                state[lane] = rotated(carried, by: turn)
                carried = next
            }
            // Chi: the one step that is not linear.
            for row in stride(from: 0, to: 25, by: 5) {
                for x in 0..<5 { columns[x] = state[row + x] }
                for x in 0..<5 { state[row + x] = columns[x] ^ (~columns[(x + 1) % 5] & columns[(x + 2) % 5]) }
            }
            // Iota.
            state[0] ^= constant
        }
    }

    private static func rotated(_ lane: UInt64, by count: UInt64) -> UInt64 { lane << count | lane >> (64 - count) }

    /// Where the lane before goes, beginning with lane 1, and how far it turns: t(t+1)/2 modulo 64.
    private static let cycle: [(lane: Int, turn: UInt64)] = {
        var (x, y) = (1, 0)
        return (1...24).map { step in
            (x, y) = (y, (2 * x + 3 * y) % 5)
            return (x + 5 * y, UInt64(step * (step + 1) / 2 % 64))
        }
    }()

    /// One for each of the 24 rounds, drawn from a shift register of eight bits (x⁸ + x⁶ + x⁵ + x⁴ + 1).
    private static let roundConstants: [UInt64] = {
        var register: UInt16 = 1
        return (0..<24).map { _ in
            var constant: UInt64 = 0
            for power in 0..<7 {
                if register & 1 == 1 { constant |= 1 << UInt64((1 << power) - 1) }
                register <<= 1
                if register & 0x100 != 0 { register ^= 0x171 }
            }
            return constant
        }
    }()
}
