import PresenceModel

/// One thing that a user or the user's client does.
struct ThriftAct: Sendable {
    enum Kind: UInt8, Sendable {
        /// The client connects, which is a sign of the user too.
        case opens
        case closes
        /// The user writes, reads, moves the pointer.
        case acts
        /// A state and a text picked by the user.
        case choosesBusy
        case choosesOnline
        case choosesOnlineWithText
    }

    /// Milliseconds since the beginning of the day, UTC.
    var at: UInt32
    var user: Int32
    var kind: Kind
    /// Which of ``ThriftDay/texts``.
    var text: UInt8 = 0
}

/// What users do in a day, in the order of time. `Spec/Thrift.md`.
///
/// The day begins with everybody away. One client of a user is connected at a time.
struct ThriftDay: Sendable {
    static let texts = [
        "in a meeting until 11", "deep work, back at four", "on the phone", "Listening to: Rain Dogs",
        "working from home today", "back on Monday 🏖", "afk", "reviewing patches, ping me for urgent things only",
    ]
    /// How many start in each hour of the user's own clock, in proportion.
    private static let hourWeights: [Double] = [
        3, 1.5, 0.8, 0.5, 0.5, 0.8, 2, 4, 5, 5, 5, 5, 6, 5.5, 5, 5, 5.5, 6, 7, 8, 8.5, 8, 7, 5,
    ]

    let acts: [ThriftAct]

    /// - Parameter acts: in the order of time.
    init(_ acts: [ThriftAct]) { self.acts = acts }

    init(of population: ThriftPopulation) {
        let end = UInt32(population.scale.endMilliseconds)
        var acts: [ThriftAct] = []
        for user in population.users.indices {
            var person = Person(user: user, population, end: end)
            acts.append(contentsOf: person.live())
        }
        acts.sort { ($0.at, $0.user) < ($1.at, $1.user) }
        self.init(acts)
    }

    /// One user's day while it is drawn.
    private struct Person {
        let user: Int32
        let zoneMilliseconds: Double
        let deskShare: Double
        let end: UInt32
        var chance: ThriftChance
        var acts: [ThriftAct] = []

        init(user: Int, _ population: ThriftPopulation, end: UInt32) {
            self.user = Int32(user)
            self.end = end
            zoneMilliseconds = Double(population.zones[user]) * 60_000
            deskShare = population.scale.deskShare
            chance = ThriftChance(seed: population.scale.seed, stream: 3 << 32 + UInt64(user))
        }

        /// One in five does not come at all.
        mutating func live() -> [ThriftAct] {
            guard chance.happens(0.8) else { return [] }
            var sessions: [(start: Double, length: Double, isDesk: Bool)] = []
            let glances = Int(chance.logNormal(median: 5, sigma: 0.7, limit: 40).rounded())
            for _ in 0..<glances {
                let length = chance.logNormal(median: 4, sigma: 0.9, limit: 60) * 60_000
                sessions.append((drawStart(), length, false))
            }
            if chance.happens(deskShare) {
                let local = chance.happens(0.6) ? 8.5 + chance.normal() : 19 + chance.normal()
                let length = chance.logNormal(median: 4, sigma: 0.5, limit: 12) * 3_600_000
                sessions.append((universal(local), length, true))
            }
            sessions.sort { ($0.start, $0.length) < ($1.start, $1.length) }
            var free = 0.0
            for session in sessions where session.start >= free {
                free = session.start + session.length + 60_000
                play(session.start, session.start + session.length, isDesk: session.isDesk)
            }
            return acts
        }

        private mutating func drawStart() -> Double {
            var rest = chance.unit() * ThriftDay.hourWeights.reduce(0, +)
            var hour = 0
            while hour < 23, rest > ThriftDay.hourWeights[hour] {
                rest -= ThriftDay.hourWeights[hour]
                hour += 1
            }
            return universal(Double(hour) + chance.unit())
        }

        private func universal(_ localHour: Double) -> Double {
            let day = 86_400_000.0
            let moment = (localHour * 3_600_000 - zoneMilliseconds).truncatingRemainder(dividingBy: day)
            return moment < 0 ? moment + day : moment
        }

        /// Bursts of doing something, with quiet between them at a desk; a glance at the phone is one burst.
        private mutating func play(_ start: Double, _ end: Double, isDesk: Bool) {
            let choice = isDesk ? drawChoice(start, end) : []
            let first = acts.count
            note(.opens, at: start)
            var now = start
            while now < end {
                let burstEnd = isDesk ? min(now + chance.exponential(mean: 600_000), end) : end
                while true {
                    now += chance.exponential(mean: 35_000)
                    guard now < burstEnd else { break }
                    note(.acts, at: now)
                }
                now = burstEnd + chance.logNormal(median: 6, sigma: 1, limit: 180) * 60_000
            }
            note(.closes, at: end)
            guard !choice.isEmpty else { return }
            acts.append(contentsOf: choice)
            acts[first...].sort { $0.at < $1.at }
        }

        /// A quarter of those at a desk are busy for a while, and every sixth says something.
        private mutating func drawChoice(_ start: Double, _ end: Double) -> [ThriftAct] {
            let text = UInt8(chance.below(ThriftDay.texts.count))
            var choice: [ThriftAct] = []
            func act(_ kind: ThriftAct.Kind, _ at: Double, _ text: UInt8 = 0) {
                guard at < Double(self.end) else { return }
                choice.append(ThriftAct(at: UInt32(at), user: user, kind: kind, text: text))
            }
            let begin = start + chance.unit() * (end - start) * 0.7
            let finish = min(begin + (20 + 60 * chance.unit()) * 60_000, end - 1000)
            if chance.happens(0.25) {
                act(.choosesBusy, begin, text)
                if finish > begin { act(.choosesOnline, finish) }
            } else if chance.happens(0.17) {
                act(.choosesOnlineWithText, begin, text)
            }
            return choice
        }

        private mutating func note(_ kind: ThriftAct.Kind, at: Double) {
            guard at < Double(end) else { return }
            acts.append(ThriftAct(at: UInt32(at), user: user, kind: kind))
        }
    }
}
