"""A stand-in for Kaggle's Sberbank files, which nobody may pass on: their columns, made-up rows.

The names are those of the competition's ``train.csv``, in no particular order; the values are
drawn at random and mean nothing.
"""

# ruff: noqa: SIM905 - 292 names in quotes would be harder to read

import io
from pathlib import Path

import numpy as np
import pandas as pd

FLAT = (
    "full_sq life_sq floor max_floor material build_year num_room kitch_sq state area_m "
    "raion_popul green_zone_part indust_part children_preschool preschool_quota "
    "preschool_education_centers_raion children_school school_quota "
    "school_education_centers_raion school_education_centers_top_20_raion hospital_beds_raion "
    "healthcare_centers_raion university_top_20_raion sport_objects_raion "
    "additional_education_raion culture_objects_top_25_raion shopping_centers_raion office_raion "
    "full_all male_f female_f young_all young_male young_female work_all work_male work_female "
    "ekder_all ekder_male ekder_female raion_build_count_with_material_info build_count_block "
    "build_count_wood build_count_frame build_count_brick build_count_monolith build_count_panel "
    "build_count_foam build_count_slag build_count_mix raion_build_count_with_builddate_info "
    "build_count_before_1920 build_count_1921-1945 build_count_1946-1970 build_count_1971-1995 "
    "build_count_after_1995"
).split()
GROUPS = [f"{age}_{who}" for age in ("0_6", "7_14", "0_17", "16_29", "0_13")
          for who in ("all", "male", "female")]  # fmt: skip
WAYS = (
    "metro_min_avto metro_km_avto metro_min_walk metro_km_walk railroad_station_walk_km "
    "railroad_station_walk_min railroad_station_avto_km railroad_station_avto_min "
    "public_transport_station_km public_transport_station_min_walk kindergarten_km school_km "
    "park_km green_zone_km industrial_km water_treatment_km cemetery_km incineration_km water_km "
    "mkad_km ttk_km sadovoe_km bulvar_ring_km kremlin_km big_road1_km big_road2_km railroad_km "
    "zd_vokzaly_avto_km bus_terminal_avto_km oil_chemistry_km nuclear_reactor_km radiation_km "
    "power_transmission_line_km thermal_power_plant_km ts_km big_market_km market_shop_km "
    "fitness_km swim_pool_km ice_rink_km stadium_km basketball_km hospice_morgue_km "
    "detention_facility_km public_healthcare_km university_km workplaces_km shopping_centers_km "
    "office_km additional_education_km preschool_km big_church_km church_synagogue_km mosque_km "
    "theater_km museum_km exhibition_km catering_km"
).split()
KEYS = ("ID_metro ID_railroad_station_walk ID_railroad_station_avto ID_big_road1 ID_big_road2 "
        "ID_railroad_terminal ID_bus_terminal").split()  # fmt: skip
AROUND = (  # within 500 to 5,000 metres
    "green_part_{} prom_part_{} office_count_{} office_sqm_{} trc_count_{} trc_sqm_{} "
    "cafe_count_{} cafe_sum_{}_min_price_avg cafe_sum_{}_max_price_avg cafe_avg_price_{} "
    "cafe_count_{}_na_price cafe_count_{}_price_500 cafe_count_{}_price_1000 "
    "cafe_count_{}_price_1500 cafe_count_{}_price_2500 cafe_count_{}_price_4000 "
    "cafe_count_{}_price_high big_church_count_{} church_count_{} mosque_count_{} "
    "leisure_count_{} sport_count_{} market_count_{}"
).split()
NEAR = [name.format(metres) for metres in (500, 1000, 1500, 2000, 3000, 5000) for name in AROUND]
NUMBERS = [*FLAT, *GROUPS, *WAYS, *KEYS, *NEAR]
YES_NO = (
    "culture_objects_top_25 thermal_power_plant_raion incineration_raion oil_chemistry_raion "
    "radiation_raion railroad_terminal_raion big_market_raion nuclear_reactor_raion "
    "detention_facility_raion water_1line big_road1_1line railroad_1line"
).split()
CATEGORIES = {
    "product_type": ["Investment", "OwnerOccupier"],
    "sub_area": ["Bibirevo", "Nagatinskij Zaton", "Tekstil'shhiki", "Mitino"],
    "ecology": ["good", "excellent", "poor", "satisfactory", "no data"],
    **{name: ["no", "yes"] for name in YES_NO},
}
#: columns in which Kaggle's files have gaps
GAPS = ("life_sq", "build_year", "kitch_sq", "state", "preschool_quota", "product_type")


def frame(rows: int, *, first_id: int, first_day: str, price: bool, seed: int) -> pd.DataFrame:
    """A made-up table; a day a row, one value in ten missing where the real one has gaps."""
    rng = np.random.default_rng(seed)
    days = pd.date_range(first_day, periods=rows).strftime("%Y-%m-%d")
    columns: dict[str, object] = {"id": np.arange(first_id, first_id + rows), "timestamp": days}
    columns |= {name: rng.integers(1, 100, rows) for name in NUMBERS}
    columns |= {name: rng.choice(values, rows) for name, values in CATEGORIES.items()}
    if price:
        columns["price_doc"] = rng.integers(1_000_000, 20_000_000, rows)
    table = pd.DataFrame(columns)
    for name in GAPS:
        table[name] = table[name].mask(rng.random(rows) < 0.1)
    return table


def files(train_rows: int = 300, test_rows: int = 100) -> dict[str, bytes]:
    """What stands in for ``train.csv`` and ``test.csv``: name to content."""
    tables = {
        "train.csv": frame(train_rows, first_id=1, first_day="2011-08-20", price=True, seed=1),
        "test.csv": frame(test_rows, first_id=30474, first_day="2015-07-01", price=False, seed=2),
    }
    contents = {}
    for name, table in tables.items():
        buffer = io.BytesIO()
        table.to_csv(buffer, index=False)
        contents[name] = buffer.getvalue()
    return contents


def write(folder: Path) -> Path:
    """Put both files into the folder, which is made; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files().items():
        (folder / name).write_bytes(content)
    return folder
