// lmcache · SPDX-License-Identifier: Apache-2.0

/// Numbers with a fixed count of decimals.
enum Decimals {
    /// `value` rounded to `decimals` (at most 9) places.
    static func text(_ value: Double, _ decimals: Int) -> String {
        let scale = Self.scale(decimals)
        guard value.isFinite, abs(value) * scale < 9e18 else { return String(value) }
        let scaled = Int64((abs(value) * scale).rounded(.toNearestOrEven))
        let sign = value < 0 && scaled != 0 ? "-" : ""
        if decimals == 0 { return sign + String(scaled) }
        let unit = Int64(scale)
        let fraction = String(scaled % unit)
        return sign + String(scaled / unit) + "." + String(repeating: "0", count: decimals - fraction.count) + fraction
    }

    /// `value` rounded to `decimals` places, as a number.
    static func rounded(_ value: Double, _ decimals: Int) -> Double {
        let scale = Self.scale(decimals)
        return (value * scale).rounded() / scale
    }

    private static func scale(_ decimals: Int) -> Double {
        precondition((0...9).contains(decimals), "decimals are 0 to 9")
        return (0..<decimals).reduce(1.0) { scale, _ in scale * 10 }
    }
}
