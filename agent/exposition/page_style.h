// The status page's stylesheet: light or dark as the browser asks, and readable on a phone.
#pragma once

namespace volumeter {

inline constexpr const char* kPageStyle = R"css(
:root{--bg:#f7f8fa;--card:#fff;--fg:#1b1f24;--dim:#667080;--line:#e3e6ea;--track:#e7eaef;
--fine:#3d8b5f;--warning:#c98a00;--critical:#c8372d}
@media (prefers-color-scheme:dark){:root{--bg:#14171b;--card:#1c2026;--fg:#e6e9ee;--dim:#96a0ae;
--line:#2c323a;--track:#2a3038;--fine:#57b283;--warning:#e0a832;--critical:#ef6a5f}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);font:14px/1.45 system-ui,sans-serif}
header{display:flex;gap:1rem;align-items:baseline;padding:1rem 1.5rem;border-bottom:1px solid var(--line)}
h1{font-size:1.15rem;margin:0}h2{font-size:1rem;margin:1.6rem 0 .5rem}
nav{margin-left:auto;display:flex;gap:1rem}a{color:inherit}
main{padding:1rem 1.5rem;max-width:1500px;margin:auto}
.cards{display:flex;flex-wrap:wrap;gap:.75rem}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.6rem 1rem;min-width:8rem;color:var(--dim)}
.card strong{display:block;font-size:1.5rem;color:var(--fg)}
.card.critical strong{color:var(--critical)}.card.warning strong{color:var(--warning)}
.card.quiet strong{color:var(--dim)}
table{width:100%;border-collapse:collapse;background:var(--card);border:1px solid var(--line);border-radius:8px}
th,td{text-align:left;padding:.5rem .75rem;border-top:1px solid var(--line);vertical-align:top}
thead th{border-top:0;color:var(--dim);font-weight:600;font-size:.85rem}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
small{display:block;color:var(--dim);overflow-wrap:anywhere}
.usage{white-space:nowrap}
.bar{display:inline-block;position:relative;width:11rem;height:.8rem;background:var(--track);border-radius:3px;vertical-align:middle;overflow:hidden}
.bar i{display:block;height:100%;background:var(--fine)}
.bar.warning i{background:var(--warning)}.bar.critical i{background:var(--critical)}
.bar b{position:absolute;top:0;bottom:0;width:1px;background:var(--fg);opacity:.55}
.m80{left:80%}.m90{left:90%}
.pct{font-variant-numeric:tabular-nums}.why{color:var(--dim)}
.state{font-weight:600}.ok{color:var(--fine)}.unknown{color:var(--dim)}
.read-only{color:var(--warning)}.error,.hung,.not-mounted{color:var(--critical)}
.down{border-left:3px solid var(--warning);padding:.3rem .8rem;background:var(--card)}
details{margin-top:1.6rem}summary{cursor:pointer;color:var(--dim);margin-bottom:.5rem}
footer{color:var(--dim);padding:1rem 1.5rem;text-align:center}
@media (max-width:800px){main{padding:.5rem;overflow-x:auto}.bar{width:6rem}}
)css";

}  // namespace volumeter
