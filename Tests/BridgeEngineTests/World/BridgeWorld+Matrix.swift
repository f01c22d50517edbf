import BridgeEngine
import PresenceModel
import SocialEngine

// The naive homeserver.
extension BridgeWorld {
    /// How a user is, as others see them, and as the bridge may know it.
    func view(of index: Int) -> MatrixView {
        let person = people[index]
        guard case .visible(let state, let text, _) = person.own else { return person.own }
        if state != .offline { return .visible(state, statusText: text, weather.isUntold ? .untold : .devices) }
        if case .visible(let state, let text)? = person.world {
            return .visible(state, statusText: text, weather.isUntold ? .untold : .worldAlone)
        }
        return .visible(.offline, statusText: text, weather.isUntold ? .untold : .devices)
    }

    mutating func reportView(of index: Int) {
        guard let user = people[index].user else { return }
        let view = view(of: index)
        guard view != people[index].toldView else { return }
        people[index].toldView = view
        people[index].matrixChanges.append(now)
        let hidesHiding = showsHiddenAsOffline && view == .hidden
        let said = hidesHiding ? .visible(.offline, statusText: nil, .devices) : view
        submit(.matrixReported(user, said))
        if generator.happens(weather.doubled) { submit(.matrixReported(user, said)) }
    }

    /// Later, and in order.
    mutating func planMatrix(_ happening: Happening) {
        let delay = Int64.random(in: 0...weather.matrixDelayMilliseconds, using: &generator)
        matrixArrival = max(matrixArrival, now.advanced(byMilliseconds: delay))
        plan(happening, at: matrixArrival)
    }

    /// Everybody whom it concerns hears of what is between two now.
    mutating func reportTie(_ one: UserID, _ other: UserID) {
        for (user, seen) in [(one, other), (other, one)] where index(of: user) != nil {
            let bond = matrixTies.bond(user.text, seen.text)
            planMatrix(.fromMatrix(.listReported(user, other: seen, bond, at: now), boot: boot))
        }
    }

    mutating func takeMatrix(_ effect: BridgeEngine.Effect) {
        switch effect {
        case .editList(let user, let action, let other):
            let isDone =
                !generator.happens(weather.refusedEdits)
                && matrixTies.act(action, by: user.text, towards: other.text)
            if isDone {
                reportTie(user, other)
            } else {
                planMatrix(.fromMatrix(.editRefused(user, action, towards: other), boot: boot))
            }
        case .readList(let user):
            var bonds: [UserID: Bond] = [:]
            for name in matrixTies.others(of: user.text) {
                guard let other = try? UserID(parsing: name) else { continue }
                bonds[other] = matrixTies.bond(user.text, name)
            }
            // Whoever begins to be bridged was told of when nobody cared.
            if let index = people.firstIndex(where: { $0.user == user }) {
                people[index].toldView = nil
                reportView(of: index)
            }
            planMatrix(.fromMatrix(.listRead(user, bonds), boot: boot))
        case .makeGhost(let user, let address):
            if generator.happens(weather.ghostFailures) {
                planMatrix(.fromMatrix(.ghostFailed(address), boot: boot))
            } else {
                ghostsMade.insert(user)
                planMatrix(.fromMatrix(.ghostMade(address), boot: boot))
            }
        default: break
        }
    }

    mutating func present(_ user: UserID, _ showing: Showing, _ guise: BridgeEngine.Guise) {
        checkPresented(user, showing, guise)
        if generator.happens(weather.presentFailures) {
            failedShows.insert(user)
            planMatrix(.fromMatrix(.presentFailed(user), boot: boot))
            return
        }
        if let index = index(of: user) {
            people[index].world = showing
            // Not within the step that ordered it.
            planMatrix(.fromMatrix(.deadlineReached, boot: boot))
        } else {
            ghostShown[user] = showing
        }
    }
}
